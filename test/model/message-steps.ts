// Steps: what becomes of messages, and the chores of the leader that see to it.
import {
  findSilentOwners,
  promoteDueJobs,
  rescueJobs,
  reserveUnpublishedJobs,
  unpublishOvertakenJobs,
  unpublishUndeliveredJobs,
} from '../../src/shared/postgres/statements/maintenance.ts';
import { markPublished, renewMarks } from '../../src/shared/postgres/statements/publish.ts';
import { expectSame, expectSameSet, expectThat } from './difference.ts';
import type { Step } from './people-steps.ts';
import type { World } from './world.ts';
import { inOrder, queues } from './world.ts';

const ids = (jobs: readonly { id: string }[]) => jobs.map(({ id }) => id);

/** The broker confirms: the mark is written later. */
export const publish: Step = async (world) => {
  const { random } = world;
  const hints = random.pick(world.toPublish);
  if (hints === undefined) return undefined;
  world.toPublish = world.toPublish.filter((other) => other !== hints);
  const fate = random.weighted([
    ['confirmed', 8],
    ['confirm lost', 1],
    ['not sent', 1],
  ]);
  if (fate !== 'not sent') world.publish(hints);
  if (fate === 'confirmed') world.toMark.push(hints);
  return `publish ${ids(hints).join(', ')}: ${fate}`;
};

export const mark: Step = async (world) => {
  const { model, random, sql } = world;
  const hints = random.some(world.toMark, 3);
  if (hints.length === 0) return undefined;
  world.toMark = world.toMark.filter((other) => !hints.includes(other));
  await markPublished(sql, hints.flat());
  model.mark(hints.flat());
  return `mark ${ids(hints.flat()).join(', ')}`;
};

/** The broker loses a message that nobody has: a purged queue, a disk. */
export const lose: Step = async (world) => {
  const message = world.random.pick(world.messages.filter(({ holder }) => holder === undefined));
  if (message === undefined) return undefined;
  world.messages = world.messages.filter((other) => other !== message);
  for (const id of message.ids) world.lost.add(id);
  return `lose the message of ${[...message.ids].join(', ')}`;
};

/** A worker that has no slot for them publishes ids anew; their message is at hand until that is done. */
export const passOn: Step = async (world) => {
  const { model, random, sql } = world;
  const message = random.pick(world.messages.filter(({ holder }) => holder === undefined));
  if (message === undefined) return undefined;
  const given = [...message.ids];
  const renewed = inOrder(await renewMarks(sql, given));
  expectSameSet('passed on', ids(renewed), ids(model.renew(given)));
  world.publish(renewed);
  return `pass on ${ids(renewed).join(', ')}`;
};

export const promote: Step = async (world) => {
  const { model, random, sql } = world;
  const [limit, byRelay] = [random.chance(0.3) ? random.int(1, 3) : 1_000, random.chance(0.2)];
  const due = model.due();
  const promoted = inOrder(await promoteDueJobs(sql, limit, { byRelay }));
  expectSame('promoted: how many', promoted.length, Math.min(limit, due.length));
  const chosen = new Set(ids(promoted));
  const [latest, earliestLeft] = [
    Math.max(...due.filter(({ id }) => chosen.has(id)).map(({ runAt }) => runAt)),
    Math.min(...due.filter(({ id }) => !chosen.has(id)).map(({ runAt }) => runAt)),
  ];
  expectThat(latest <= earliestLeft, 'a job was promoted before one that was due earlier');
  model.promote([...chosen], { byRelay });
  if (!byRelay) for (const hint of promoted) if (hint.gate === null) world.toPublish.push([hint]);
  return `promote ${[...chosen].join(', ')}`;
};

export const relay: Step = async (world) => {
  const { model, random, sql } = world;
  const limit = random.chance(0.3) ? random.int(1, 3) : 1_000;
  const unpublished = ids(model.unpublished());
  const reserved = inOrder(await reserveUnpublishedJobs(sql, limit));
  expectSame('relayed: how many', reserved.length, Math.min(limit, unpublished.length));
  for (const { id } of reserved)
    expectThat(unpublished.includes(id), `job ${id} was relayed, and is not the relay's`);
  model.reserve(ids(reserved));
  for (const { id, fence } of reserved)
    expectSame(`fence of relayed job ${id}`, fence, model.jobs.get(id)?.fence);
  for (const hint of reserved) world.toPublish.push([hint]);
  return `relay ${ids(reserved).join(', ')}`;
};

export const reconcile: Step = async (world) => {
  const { model, sql } = world;
  const overtaken = await unpublishOvertakenJobs(sql, 1_000);
  expectSame('overtaken', overtaken, model.unpublishOvertaken());
  const empty = emptyQueues(world);
  const undelivered = await unpublishUndeliveredJobs(sql, empty, 1_000);
  expectSame('undelivered', undelivered, model.unpublishUndelivered(empty));
  return `reconcile: ${overtaken} overtaken, ${undelivered} undelivered in ${empty.join(', ')}`;
};

function emptyQueues({ messages }: World): string[] {
  return queues.filter(
    (name) => !messages.some(({ queue, holder }) => queue === name && holder === undefined),
  );
}

export const rescue: Step = async (world) => {
  const { model, sql, random } = world;
  const silent = await findSilentOwners(sql);
  const silentOwners = silent.map(({ owner }) => owner).toSorted();
  expectSameSet('silent owners', silentOwners, model.silentOwners());
  // Between the look and the rescue an owner may come back: whoever lives is named, too.
  const owners = random.chance(0.2) ? [...model.workers.keys()] : silentOwners;
  const rescued = inOrder(await rescueJobs(sql, owners, 1_000));
  expectSameSet('rescued', ids(rescued), ids(model.rescue(owners)));
  world.mayLose(ids(rescued));
  return `rescue ${ids(rescued).join(', ')} of ${owners.join(', ')}`;
};
