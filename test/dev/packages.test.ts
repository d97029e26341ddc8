// The installation of the distribution's packages, played with commands of the test's own in a folder that stands for the machine.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect, test } from 'vitest';

import { runCommand } from '../../dev/command.ts';
import { installScript } from '../../dev/services/packages.ts';

/** Both keep a journal; "installing" enables the package's unit, as Debian's maintainer scripts do. */
const commands = {
  'apt-get': `
[ "$1" = install ] || exit 0
"$ROOT/usr/sbin/policy-rc.d" > /dev/null 2>&1; echo "policy says $?" >> "$ROOT/journal"
cat "$ROOT/etc/postgresql-common/createcluster.conf" >> "$ROOT/journal"
shift 4
for package in "$@"; do echo "$package.service enabled enabled" >> "$ROOT/units"; done
[ ! -e "$ROOT/fails" ]`,
  systemctl: `
case "$1" in
  list-unit-files) cat "$ROOT/units" ;;
  *) echo "$@" >> "$ROOT/journal" ;;
esac`,
};

const policy = 'usr/sbin/policy-rc.d';
const cluster = 'etc/postgresql-common/createcluster.conf';

function machine(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'warren-machine-'));
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  };
  for (const [name, text] of Object.entries(commands)) write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
  for (const [path, text] of Object.entries({ units: '', ...files }))
    write(path, text, path === policy ? 0o755 : 0o644);
  return {
    read: (path: string) =>
      existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined,
    install: async (...packages: string[]) =>
      runCommand('sh', ['-c', installScript, 'install', ...packages], {
        env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ROOT: root },
        timeoutMs: 60_000,
      }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

test("a new package's service is kept from starting and disabled; what the machine had enabled stays so", async () => {
  using fake = machine({
    units: 'postgresql.service enabled enabled\nssh.service enabled enabled\n',
  });
  const { status, stderr } = await fake.install('rabbitmq-server', 'pgbouncer');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(fake.read('journal')?.trim().split('\n')).toEqual([
    'policy says 101',
    'create_main_cluster = false',
    'disable pgbouncer.service',
    'disable rabbitmq-server.service',
  ]);
  expect(fake.read(policy)).toBeUndefined();
});

test.each(['', 'fails'])("the machine's own settings are back afterwards (%s)", async (outcome) => {
  const own = { [policy]: '#!/bin/sh\nexit 0\n', [cluster]: 'create_main_cluster = true\n' };
  using fake = machine({ ...own, ...(outcome === '' ? {} : { [outcome]: '' }) });
  const { status } = await fake.install('prometheus');
  expect(status === 0).toBe(outcome === '');
  expect(fake.read('journal')).toContain('policy says 101\ncreate_main_cluster = false\n');
  expect({ [policy]: fake.read(policy), [cluster]: fake.read(cluster) }).toEqual(own);
});

test("settings that a run left behind when it was killed are put right by the next one's end", async () => {
  using fake = machine({
    [policy]: '#!/bin/sh\nexit 101\n',
    [`${policy}.before-warren`]: '#!/bin/sh\nexit 0\n',
  });
  await fake.install('prometheus');
  expect(fake.read(policy)).toBe('#!/bin/sh\nexit 0\n');
  expect(fake.read(`${policy}.before-warren`)).toBeUndefined();
});
