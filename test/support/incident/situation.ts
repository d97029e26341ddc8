// What a situation of docs/incident.md is for the test that plays it.

export interface Step {
  /** As it stands on the page, to the letter. */
  run: string;
  /** What a person does between the steps. */
  before?: () => Promise<unknown> | unknown;
  /** `out`: what it has written. Defaults to nothing more than that it ends with 0. */
  after?: (out: string) => Promise<unknown> | unknown;
  /** Instead of a shell. */
  by?: (lines: string) => Promise<string>;
}

export interface Situation {
  /** Makes it so. What is returned stands for the words in CAPITALS. */
  provoke?: () => Promise<Record<string, string>>;
  steps: Step[];
}

export function substitute(lines: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(name, value), lines);
}
