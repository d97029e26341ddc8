// An instance lives in the process of an application: a logger of the application that throws must not hurt either.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';
import { openInstanceLog } from '../../../src/shared/observe/instance-log.ts';

const throws = vi.fn(() => {
  throw new TypeError('broken');
});
const logger = { debug: throws, info: throws, warn: throws, error: throws };
const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

test('a logger that throws hurts nobody, also in a line that comes late, and Node warns of it once', async () => {
  const events = new Events();
  const log = openInstanceLog(logger, { events, name: 'crm', level: 'info', stream: process.stdout });
  log.warn('a line that no event is worth');
  events.publish('attempt.fenced', { jobId: '7', type: 'greet', attempt: 1 });
  events.publish('consumer.lost', { tag: 'worker.1', queue: 'mail', reason: 'the channel was closed' });
  throws.mockClear();
  vi.runAllTimers();
  expect(throws).toHaveBeenCalledOnce();
  await log.close();
  expect(emitWarning.mock.calls).toEqual([
    ['the logger of the application throws: TypeError: broken', 'WarrenWarning'],
  ]);
});

test('a method of a logger is called as one, so that classes can be loggers', () => {
  class Lines {
    readonly all: string[] = [];
    debug(_: object, message: string) {
      this.all.push(message);
    }
    info = this.debug;
    warn = this.debug;
    error = this.debug;
  }
  const lines = new Lines();
  const options = { events: new Events(), name: 'crm', level: 'info', stream: process.stdout } as const;
  openInstanceLog(lines, options).warn('told');
  expect(lines.all).toEqual(['told']);
});
