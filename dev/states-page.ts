// docs/states.md, made from the table of transitions: the chart, the states, and what every act does.
import type { Act } from '../src/shared/job/transitions.ts';
import { jobStates, states, transition, transitions } from '../src/shared/job/transitions.ts';

const acts = Object.keys(transitions) as Act[];
/** Acts of the same arrow share it. */
const NEW = '[*]';

export function statesPage(derived: string): string {
  return `# States

${derived}

A job is in one of seven states. Every act is one statement in Postgres, guarded by the states that it may begin from: where the guard does not hold, the
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

- *to*: the state after it; "as it was" where the act changes something else of the job. "cancelled, if asked for": a person has cancelled the job while it ran,
  and it does not go on.
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
    meaning,
  } = transition(act);
  const cells = [
    `\`${act}\``,
    from.map((state) => `\`${state}\``).join(', '),
    (to === undefined ? 'as it was' : `\`${to}\``) + (yieldsToCancel ? ' (`cancelled`, if asked for)' : ''),
    [afterCrash ? 'lost one' : '', attempt === 0 ? '' : attempt > 0 ? '+1' : '−1'].filter(Boolean).join(', '),
    afterCrash ? '+1' : crashes === 'counted' ? '+1' : crashes === 'forgotten' ? '0' : '',
    raisesFence ? '+1' : '',
    meaning,
  ];
  return `| ${cells.join(' | ')} |`;
}

function chart(): string[] {
  const arrows = acts.flatMap((act) => {
    const { from, to } = transition(act);
    if (to === undefined) return [];
    return (from.length === 0 ? [NEW] : from).map((state) => ({ arrow: `${state} --> ${to}`, act }));
  });
  const byArrow = Map.groupBy(arrows, ({ arrow }) => arrow);
  return [...byArrow].map(([arrow, shared]) => `  ${arrow}: ${shared.map(({ act }) => act).join(', ')}`);
}
