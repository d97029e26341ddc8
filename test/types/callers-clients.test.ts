// Which transactions the compiler lets a caller pass as they are, and which need the one line of docs/transactions.md. `tsc` checks this file.
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Knex } from 'knex';
import type { Transaction } from 'kysely';
import type pg from 'pg';
import type postgres from 'postgres';
import type { EntityManager, QueryRunner } from 'typeorm';
import { expectTypeOf, test } from 'vitest';
import type { CallersClient } from '../../src/index.ts';
import type { Prisma } from '../integration/callers/prisma/client.ts';

test('the transactions of postgres.js, pg, Knex, Prisma and TypeORM are taken as they are', () => {
  expectTypeOf<postgres.TransactionSql>().toExtend<CallersClient>();
  expectTypeOf<pg.ClientBase>().toExtend<CallersClient>();
  expectTypeOf<Knex.Transaction>().toExtend<CallersClient>();
  expectTypeOf<Prisma.TransactionClient>().toExtend<CallersClient>();
  expectTypeOf<EntityManager>().toExtend<CallersClient>();
  expectTypeOf<QueryRunner>().toExtend<CallersClient>();
});

test('those of Drizzle and Kysely, and what is no client, are refused by the compiler', () => {
  expectTypeOf<NodePgDatabase>().not.toExtend<CallersClient>();
  expectTypeOf<Transaction<{ customers: { name: string } }>>().not.toExtend<CallersClient>();
  expectTypeOf<object>().not.toExtend<CallersClient>();
  expectTypeOf<string>().not.toExtend<CallersClient>();
});
