// docs/states.md, made from the table of transitions: the chart, the states, and what every act does.
import type { Act } from '../src/shared/job/transitions.ts';
import { jobStates, states, transition, transitions } from '../src/shared/job/transitions.ts';

const acts = Object.keys(transitions) as Act[];
/** Where a job comes from and where it goes. */
const OUTSIDE = '[*]';

export function statesPage(derived: string): string {
  return `# States

${derived}

A job is in one of ${jobStates.length} states. Every act is one statement in Postgres, guarded by the states that it may begin from: where the guard does not hold, the
row stays as it is.

\`\`\`mermaid
stateDiagram-v2
${chart().join('\n')}
\`\`\`

| state | | |
|---|---|---|
${jobStates.map((state) => `| \`${state}\` | ${states[state].isLive ? 'live' : 'ended'} | ${states[state].meaning} |`).join('\n')}

A live job holds its unique key. A job that has ended is kept for as long as its type says, then deleted.

| act | from | to | attempts | crashes | fence | when |
|---|---|---|---|---|---|---|
${acts.map(row).join('\n')}

- *to*: the state after it; "as it was" where the act changes something else of the job; "gone" where its row is deleted. "cancelled, if asked for": a person has cancelled the job while it ran,
  and it does not go on. "or held": a job with gates (a limit, a group, an ordering key) must pass them, each time anew.
- *attempts*: what is added to the attempts that count against \`maxAttempts\`. "lost one": the attempt of the dead owner counts only if its handler
  had started, and then \`maxAttempts\` grows with it: a death leaves a job as many attempts as it had.
- *crashes*: how often a process has died while it ran the job; after two it runs in a process of its own.
- *fence*: rises by one, so that whatever was sent under the old one is refused: an outcome, or the mark of a message.
`;
}

function row(act: Act): string {
  const {
    from,
    to,
    attempt = 0,
    afterCrash,
    crashes,
    raisesFence,
    yieldsToCancel,
    passesGates,
    deletes,
    meaning,
  } = transition(act);
  const cells = [
    `\`${act}\``,
    from.map((state) => `\`${state}\``).join(', '),
    (deletes ? 'gone' : to === undefined ? 'as it was' : `\`${to}\``) +
      (passesGates ? ' or `held`' : '') +
      (yieldsToCancel ? ' (`cancelled`, if asked for)' : ''),
    [afterCrash ? 'lost one' : '', attempt === 0 ? '' : attempt > 0 ? '+1' : '−1'].filter(Boolean).join(', '),
    afterCrash ? '+1' : crashes === 'counted' ? '+1' : crashes === 'forgotten' ? '0' : '',
    raisesFence ? '+1' : '',
    meaning,
  ];
  return `| ${cells.join(' | ')} |`;
}

function chart(): string[] {
  const arrows = acts.flatMap((act) => {
    const { from, to, deletes } = transition(act);
    if (to === undefined && !deletes) return [];
    return (from.length === 0 ? [OUTSIDE] : from).map((state) => ({
      arrow: `${state} --> ${to ?? OUTSIDE}`,
      act,
    }));
  });
  const byArrow = Map.groupBy(arrows, ({ arrow }) => arrow);
  return [...byArrow].map(([arrow, shared]) => `  ${arrow}: ${shared.map(({ act }) => act).join(', ')}`);
}
