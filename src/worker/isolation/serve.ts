/**
 * The other side of an isolate: loads the application, makes its services, performs the attempts that it is told, one at a time, and says how each ended.
 *
 * Guarantees: what a handler says arrives before its ending; an isolate whose handler goes on after its attempt, or that has filled half of its memory,
 * says that it is spent.
 */
import { errorMessage } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { Encryption } from '#shared/job/encryption.ts';
import { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { hasLostPostgres } from '#shared/postgres/handler-client.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { Abort } from '../abort.ts';
import { withinAttempt } from '../attempt-span.ts';
import type { Ending } from '../ending.ts';
import { createTransactionsFor } from '../own-transaction.ts';
import { perform } from '../perform.ts';
import type { LineSender, ProgressSender } from './handler-lines.ts';
import { createLineSender, createProgressSender } from './handler-lines.ts';
import type { Instruction, IsolateStart, PerformInstruction, Report } from './messages.ts';

/** One job at a time runs here. */
const MAX_CONNECTIONS = 2;
const BYTES_PER_MB = 1_048_576;
const SPENT_SHARE = 0.5;

interface Opened {
  app: App;
  services: ApplicationServices;
}

export class Isolated {
  /** Resolves when the report has been handed over. */
  readonly #report: (report: Report) => Promise<void>;
  readonly #exit: () => void;
  readonly #events = new Events();
  readonly #lines: LineSender;
  readonly #progress: ProgressSender;
  #opened: Promise<Opened> | undefined;
  #abort = new Abort();
  #hasAbandoned = false;
  #memoryMb = Number.POSITIVE_INFINITY;

  constructor(report: (report: Report) => Promise<void>, exit: () => void) {
    this.#report = report;
    this.#exit = exit;
    this.#lines = createLineSender(report);
    this.#progress = createProgressSender(report);
    this.#events.subscribe('handler.logged', this.#lines.send);
    this.#events.subscribe('handler.progressed', this.#progress.send);
    this.#events.subscribe('services.failed', ({ when, error }) => {
      process.stderr.write(`the services of the application could not be ${when}: ${errorMessage(error)}\n`);
    });
    this.#events.subscribe('attempt.abandoned', () => {
      this.#hasAbandoned = true;
    });
  }

  take(instruction: Instruction): void {
    if (instruction.kind === 'start') {
      this.#opened = this.#open(instruction);
      this.#opened.catch(() => {}); // it was reported
    }
    if (instruction.kind === 'perform') void this.#perform(instruction);
    if (instruction.kind === 'abort') this.#abort.abort(instruction.reason);
    if (instruction.kind === 'close') void this.#close();
  }

  async #open({ module, place, name, memoryMb }: IsolateStart): Promise<Opened> {
    this.#memoryMb = memoryMb ?? Number.POSITIVE_INFINITY;
    let services: ApplicationServices | undefined;
    try {
      const app = await loadApp(module);
      services = new ApplicationServices(app, { ...place, name, max: MAX_CONNECTIONS, events: this.#events });
      await services.open();
      void this.#report({ kind: 'ready' });
      return { app, services };
    } catch (error) {
      const isOutage = services !== undefined && hasLostPostgres(services.sql, error);
      await this.#report({ kind: 'unready', message: errorMessage(error), isOutage });
      throw error;
    }
  }

  async #perform({ claim, settings, owners, encryptionKeys }: PerformInstruction): Promise<void> {
    if (this.#opened === undefined) return;
    this.#abort = new Abort();
    const { app, services } = await this.#opened;
    const definition = app.definitions.get(claim.type);
    await this.#report({ kind: 'started' });
    const resources = {
      middleware: app.middleware.perform,
      encryption: new Encryption(encryptionKeys),
      services: services.services,
      settings,
      sql: services.sql,
      transactions: createTransactionsFor(owners, services),
      events: this.#events,
    };
    const ending: Ending =
      definition === undefined
        ? { kind: 'failed', message: `the application's module has no job type "${claim.type}"` }
        : await withinAttempt(claim, () => perform(definition, claim, this.#abort, resources));
    await Promise.all([this.#lines.tellOfDropped(), this.#progress.sent()]);
    await this.#report({ kind: 'ended', ending, isSpent: this.#isSpent() });
  }

  #isSpent(): boolean {
    const { heapUsed, external } = process.memoryUsage();
    const isFull = (heapUsed + external) / BYTES_PER_MB > this.#memoryMb * SPENT_SHARE;
    return this.#hasAbandoned || this.#abort.reason !== undefined || isFull;
  }

  async #close(): Promise<void> {
    await this.#opened?.then(({ services }) => services.close()).catch(() => {});
    this.#exit();
  }
}
