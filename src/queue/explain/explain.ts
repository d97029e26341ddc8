/**
 * What people ask first of a job: why does it not run?
 *
 * Guarantees: one statement a question; changes nothing; answers without RabbitMQ.
 */

import { NotFound } from '#shared/base/errors.ts';
import type { Check } from '#shared/base/health-check.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findSituation } from '#shared/postgres/statements/situation.ts';
import type { Explanation } from './explanation.ts';
import { explainSituation } from './explanation.ts';

/** `id` may be any text. Throws `NotFound`, and `Unavailable` where nobody can tell now. */
export type Explain = (id: string) => Promise<Explanation>;

export interface ExplainOptions {
  database: Database;
  /** RabbitMQ as this process sees it. */
  checkBroker: () => Check;
}

export function createExplain({ database, checkBroker }: ExplainOptions): Explain {
  return async (id) => {
    const found = parseId(id) === null ? undefined : await database.query((sql) => findSituation(sql, id));
    if (found === undefined) throw new NotFound('there is no such job');
    return explainSituation(found, checkBroker());
  };
}
