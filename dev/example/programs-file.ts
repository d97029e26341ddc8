// Which programs an example consists of: its file `programs.json`.
// Guarantees: what is wrong with the file, or with the name of the example, is told in one line.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { freePorts } from '../free-port.ts';
import type { ProgramPlan } from '../start/programs.ts';
import { planApi, planWorker } from '../start/programs.ts';

const folder = resolve(import.meta.dirname, '../../examples');

const fileSchema = z.strictObject({
  /** One line for people. */
  about: z.string(),
  /** The servers that it needs besides RabbitMQ and Postgres (their addresses are `REDIS_URL` and `VALKEY_URL`), and that RabbitMQ is to be a cluster. */
  needs: z.array(z.enum(['redis', 'valkey', 'rabbitmq-cluster'])).default([]),
  /** The first is the one that PORT is for. */
  programs: z.array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9-]+$/),
      /** Warren's own programs with the application of the example, or a file of it that listens on PORT and answers `/readyz`. */
      runs: z.union([z.literal('api'), z.literal('worker'), z.string().endsWith('.ts')]),
      /** Names of further ports: `grpc` is `GRPC_PORT` to itself, and `GATEWAY_GRPC` (host and port) to the others where it is named gateway. */
      ports: z.array(z.string().regex(/^[a-z]+$/)).default([]),
    }),
  ),
});

export type Example = z.infer<typeof fileSchema> & { readonly name: string; readonly folder: string };

export function exampleNames(): string[] {
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'programs.json')));
}

/** Throws where there is no such example. */
export function readExample(name: string | undefined): Example {
  const names = exampleNames();
  if (name === undefined || !names.includes(name))
    throw new Error(`name an example: npm run example -- ${names.join('|')}`);
  const path = join(folder, name);
  const parsed = fileSchema.safeParse(JSON.parse(readFileSync(join(path, 'programs.json'), 'utf8')));
  if (!parsed.success)
    throw new Error(`examples/${name}/programs.json is wrong: ${z.prettifyError(parsed.error)}`);
  return { ...parsed.data, name, folder: path };
}

/** The plans of its programs. Each is told by environment variables where the others listen: `PUBLISHER_URL` for one that is named publisher. */
export async function planExample({ programs, folder: path }: Example, port: number): Promise<ProgramPlan[]> {
  const further = programs.flatMap((program) =>
    program.ports.map((name) => ({ program: program.name, name })),
  );
  const [...free] = await freePorts(programs.length - 1 + further.length);
  const ports = [port, ...free.splice(0, programs.length - 1)];
  const named = further.map((entry, index) => ({ ...entry, port: free[index] ?? 0 }));
  const urls = Object.fromEntries([
    ...programs.map(({ name }, index) => [`${variable(name)}_URL`, `http://127.0.0.1:${ports[index]}`]),
    ...named.map((entry) => [
      `${variable(entry.program)}_${variable(entry.name)}`,
      `127.0.0.1:${entry.port}`,
    ]),
  ]);
  return programs.map(({ name, runs }, index) => {
    const plan = planProgram({ name, runs, path, port: ports[index] ?? 0 });
    const own = named
      .filter(({ program }) => program === name)
      .map((entry) => [`${variable(entry.name)}_PORT`, String(entry.port)]);
    return { ...plan, env: { ...urls, ...Object.fromEntries(own), ...plan.env } };
  });
}

/** For people: `grpc 127.0.0.1:50051`. */
export function furtherAddresses(names: readonly string[], plan: ProgramPlan | undefined): string[] {
  return names.map((name) => `${name} 127.0.0.1:${plan?.env[`${variable(name)}_PORT`]}`);
}

function variable(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

function planProgram(given: { name: string; runs: string; path: string; port: number }): ProgramPlan {
  const { name, runs, path, port } = given;
  if (runs === 'api') return planApi(name, port);
  if (runs === 'worker') return planWorker(name, port);
  return { name, main: join(path, runs), port, env: { PORT: String(port) } };
}
