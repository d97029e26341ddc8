// The alert rules as a file for a Prometheus without the operator, made from the manifest that the operator reads. The manifest is the source.
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

const folder = 'k8s/components/service-monitor';
const manifest = `${folder}/prometheus-rule.yaml`;

export const rulesFile = `${folder}/warren-rules.yaml`;

/** What `rule_files` of Prometheus's configuration may name: the groups of the manifest, as they are. */
export function rulesText(): string {
  const { groups } = parse(readFileSync(manifest, 'utf8')).spec as { groups: unknown };
  const note = `# Made from ${manifest} by \`npm run docs\`: edit it there. For a Prometheus without the operator (docs/alerts.md).`;
  return `${note}\n${stringify({ groups }, { lineWidth: 0 })}`;
}
