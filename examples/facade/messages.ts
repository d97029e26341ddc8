/**
 * A messages-service: takes its turn at the queue, keeps what it reads in memory, and tells it. It knows no other service.
 */
import { Hono } from 'hono';
import { Warren } from 'warren';
import { createApp } from './app.ts';
import { KeptMessages } from './kept-messages.ts';
import { serveUntilStopped } from './serve.ts';
import { servers } from './settings.ts';

const memory = new KeptMessages();
const warren = new Warren({ app: createApp(memory), ...servers(), log: 'warn' });
const app = new Hono();

app.get('/messages', (c) => c.json(memory.list()));

serveUntilStopped({ app, start: () => warren.startWorker(), stop: () => warren.stop() });
