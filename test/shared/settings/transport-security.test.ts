import { expect, test } from 'vitest';
import { findUnverifiedServers } from '../../../src/shared/settings/transport-security.ts';

const local = {
  databaseUrl: 'postgres://me:secret@localhost/warren',
  databaseDirectUrl: undefined,
  amqpUrl: 'amqp://me:secret@127.0.0.1',
};

test.each([
  [{}, []],
  [{ databaseUrl: 'postgres://me:secret@%2Frun%2Fpostgresql/warren' }, []],
  [{ amqpUrl: 'none' }, []],
  [{ amqpUrl: 'amqps://me:secret@broker.example' }, []],
  [{ databaseUrl: 'postgres://me:secret@db.example/warren?sslmode=verify-full' }, []],
  [{ databaseUrl: 'postgres://me:secret@db.example/warren?sslrootcert=system' }, []],
  [
    { databaseUrl: 'postgres://me:secret@db.example/warren?sslmode=require' },
    [
      'DATABASE_URL: sslmode=require believes whoever answers for Postgres at db.example; use sslmode=verify-full',
    ],
  ],
  [
    { databaseDirectUrl: 'postgres://me:secret@10.0.0.7/warren' },
    ['DATABASE_DIRECT_URL: Postgres at 10.0.0.7 is spoken to in clear; use sslmode=verify-full'],
  ],
  [
    { databaseUrl: 'postgres://me:secret@db.example/warren?sslmode=disable' },
    ['DATABASE_URL: Postgres at db.example is spoken to in clear; use sslmode=verify-full'],
  ],
  [
    { amqpUrl: 'amqp://me:secret@broker.example' },
    ['AMQP_URL: RabbitMQ at broker.example is spoken to in clear; use amqps'],
  ],
  [
    { amqpUrl: 'amqp://me:secret@127.0.0.1,b.example:5672,c.example' },
    [
      'AMQP_URL: RabbitMQ at b.example is spoken to in clear; use amqps',
      'AMQP_URL: RabbitMQ at c.example is spoken to in clear; use amqps',
    ],
  ],
])('of %j one hears %j, and no password', (changed, sentences) => {
  expect(findUnverifiedServers({ ...local, ...changed })).toEqual(sentences);
});
