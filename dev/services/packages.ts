// Installs packages of the distribution, for their binaries alone: none of their services starts, now or at the next boot.
// Guarantees: what this machine ran or had enabled before is left alone, and its own settings are back afterwards, also when this process is
// killed meanwhile: one root shell does it all, and its trap puts things back.
import type { RunCommand } from '../command.ts';
import type { Log } from './service-needs.ts';

const installTimeoutMs = 600_000;

/**
 * - policy-rc.d (exit 101) is how Debian's maintainer scripts are told to start nothing. It replaces one that is there for as long as the
 *   installation takes.
 * - create_main_cluster=false keeps postgresql-common from making and enabling the cluster "main".
 * - What is put in place of a file of the machine's is remembered beside it, so that the next run restores it where this one was killed hard.
 * - Only units that were not enabled before are disabled: they are the ones that these packages brought.
 *
 * `ROOT` is the folder that stands for `/`: empty, but in tests.
 */
export const installScript = `
set -eu
policy=$ROOT/usr/sbin/policy-rc.d
cluster=$ROOT/etc/postgresql-common/createcluster.conf
default_cluster=$ROOT/usr/share/postgresql-common/createcluster.conf
saved=.before-warren
restore() {
  for file in "$policy" "$cluster"; do
    if [ -e "$file$saved" ]; then mv -f "$file$saved" "$file"; fi
  done
}
put_back() {
  if [ ! -e "$policy$saved" ]; then rm -f "$policy"; fi
  if [ ! -e "$cluster$saved" ] && [ -f "$default_cluster" ]; then cp "$default_cluster" "$cluster"; fi
  restore
}
replace() {
  mkdir -p "$(dirname "$1")"
  if [ -e "$1" ]; then mv "$1" "$1$saved"; fi
  printf "$2" > "$1"
}
enabled_units() {
  if command -v systemctl > /dev/null; then
    systemctl list-unit-files --state=enabled --no-legend --no-pager 2> /dev/null | awk '{ print $1 }' | sort
  fi
}
restore
before=$(enabled_units)
trap put_back EXIT
trap 'exit 1' HUP INT TERM
replace "$policy" '#!/bin/sh\\nexit 101\\n'
chmod 755 "$policy"
replace "$cluster" 'create_main_cluster = false\\n'
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
install() { apt-get install --yes --no-install-recommends -o=DPkg::Lock::Timeout=300 "$@"; }
install "$@" || { apt-get update && install "$@"; }
for unit in $(enabled_units); do
  case "
$before
" in
    *"
$unit
"*) ;;
    *) systemctl disable "$unit" 2> /dev/null || true ;;
  esac
done
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
  const shell = ['env', 'ROOT=', 'sh', '-c', installScript, 'install', ...packages];
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
