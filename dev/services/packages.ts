// Installs the distribution's packages, without letting them start or leave a service.
// One root shell does it all, so that its trap puts things back even when this process is killed meanwhile.
import type { RunCommand } from '../command.ts';
import type { Log } from './service-needs.ts';

const installTimeoutMs = 600_000;

/**
 * - policy-rc.d (exit 101) is how Debian's maintainer scripts are told to start nothing; an existing one is respected.
 * - create_main_cluster=false keeps postgresql-common from making and enabling the cluster "main"; afterwards the
 *   distribution's own file is back, so that a later administrator finds the usual behaviour.
 * - What the packages enabled for the next boot is disabled again, as they are only installed for their binaries.
 */
const installScript = `
set -eu
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
made_policy=; made_cluster=
restore() {
  [ -z "$made_policy" ] || rm -f "$policy"
  [ -z "$made_cluster" ] || [ ! -f /usr/share/postgresql-common/createcluster.conf ] || \
    cp /usr/share/postgresql-common/createcluster.conf "$cluster"
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
  made_policy=1
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
if [ ! -e "$cluster" ]; then
  made_cluster=1
  mkdir -p /etc/postgresql-common
  printf 'create_main_cluster = false\\n' > "$cluster"
fi
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
install() { apt-get install --yes --no-install-recommends "$@"; }
install "$@" || { apt-get update && install "$@"; }
if command -v systemctl > /dev/null; then
  systemctl disable rabbitmq-server.service postgresql.service epmd.service epmd.socket 2> /dev/null || true
fi
`;

export async function installPackages({
  packages,
  run,
  log,
}: {
  packages: readonly string[];
  run: RunCommand;
  log: Log;
}): Promise<void> {
  log(`installing ${packages.join(' and ')} with apt-get …`);
  const shell = ['sh', '-c', installScript, 'install', ...packages];
  const [command = '', ...args] = process.getuid?.() === 0 ? shell : ['sudo', '-n', ...shell];
  const { status, stderr } = await run(command, args, {
    timeoutMs: installTimeoutMs,
    onLine: (line) => {
      if (/^(Get:|Unpacking |Setting up |E: |Fetched )/.test(line)) log(`  ${line}`);
    },
  });
  if (status === 0) return;
  const reason =
    stderr.split('\n').findLast((line) => line.startsWith('E: ')) ?? stderr.trim().split('\n').at(-1);
  throw new Error(`apt-get could not install ${packages.join(' and ')}: ${reason}`);
}
