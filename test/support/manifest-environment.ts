// The environment that the manifests give a program: its settings, and what Node itself is told. Read without kubectl.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { parse } from 'yaml';

const base = resolve(import.meta.dirname, '../../k8s/base');

/** `NODE_OPTIONS` of the deployment: the heap that its memory limit has room for. */
export function manifestNodeOptions(program: 'api' | 'worker'): string {
  const deployment = parse(readFileSync(resolve(base, program, 'deployment.yaml'), 'utf8'));
  const [container] = deployment.spec.template.spec.containers;
  const option = container.env.find(({ name }: { name: string }) => name === 'NODE_OPTIONS');
  return option.value;
}

/** One of the settings that both programs have in the cluster. */
export function manifestSetting(name: string): string {
  const value = parseEnv(readFileSync(resolve(base, 'warren.env'), 'utf8'))[name];
  if (value === undefined) throw new Error(`warren.env has no ${name}`);
  return value;
}
