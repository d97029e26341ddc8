// What the documentation says, for tests that do exactly that: a page and the tests that rely on it cannot drift apart.
import { readFileSync } from 'node:fs';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** Each block of a page in this language, in order. */
export function documentedBlocks(name: string, language = 'sql'): string[] {
  const blocks = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...page(name).matchAll(blocks)].map(([, block = '']) => block);
}

/** The statements of each block of SQL of a page, in order. None of them may have a semicolon inside. */
export function documentedSql(name: string): string[][] {
  return documentedBlocks(name).map((block) =>
    block
      .replace(/^--.*$/gm, '')
      .split(';')
      .map((statement) => statement.trim())
      .filter((statement) => statement !== ''),
  );
}

export interface BrokerPermissions {
  configure: string;
  write: string;
  read: string;
}

/** The permissions of a RabbitMQ user. */
export function documentedPermissions(user: string): BrokerPermissions {
  const row = page('security.md')
    .split('\n')
    .find((line) => line.startsWith(`| \`${user}\` |`));
  const [configure, write, read] = [...(row ?? '').matchAll(/`([^`]*)`/g)].slice(1).map(([, text]) => text);
  if (configure === undefined || write === undefined || read === undefined)
    throw new Error(`docs/security.md has no permissions for ${user}`);
  return { configure, write, read };
}
