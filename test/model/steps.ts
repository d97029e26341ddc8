// All steps, and how often each is taken. A new feature is a step here and an act of the model.
import { admit, changeLimit } from './gate-steps.ts';
import * as messages from './message-steps.ts';
import type { Step } from './people-steps.ts';
import * as people from './people-steps.ts';
import { record, recordAgain } from './record-steps.ts';
import * as workers from './worker-steps.ts';

export const steps: readonly { name: string; weight: number; step: Step }[] = [
  { name: 'enqueue', weight: 12, step: people.enqueue },
  { name: 'cancel', weight: 2, step: people.cancel },
  { name: 'retry', weight: 3, step: people.retry },
  { name: 'run', weight: 2, step: people.run },
  { name: 'editTime', weight: 2, step: people.editTime },
  { name: 'remove', weight: 0.5, step: people.remove },
  { name: 'pauseOrResume', weight: 2, step: people.pauseOrResume },
  { name: 'pauseOrResumeType', weight: 2, step: people.pauseOrResumeType },
  { name: 'lookUpHolder', weight: 1, step: people.lookUpHolder },
  { name: 'prune', weight: 1, step: people.prune },
  { name: 'clockStep', weight: 10, step: people.clockStep },
  { name: 'changeLimit', weight: 1, step: changeLimit },
  { name: 'admit', weight: 8, step: admit },
  { name: 'publish', weight: 14, step: messages.publish },
  { name: 'mark', weight: 6, step: messages.mark },
  { name: 'lose', weight: 0.5, step: messages.lose },
  { name: 'passOn', weight: 1, step: messages.passOn },
  { name: 'promote', weight: 4, step: messages.promote },
  { name: 'relay', weight: 4, step: messages.relay },
  { name: 'reconcile', weight: 2, step: messages.reconcile },
  { name: 'rescue', weight: 2, step: messages.rescue },
  { name: 'startWorker', weight: 3, step: workers.startWorker },
  { name: 'sendBeat', weight: 5, step: workers.sendBeat },
  { name: 'killWorker', weight: 1, step: workers.killWorker },
  { name: 'cutWorkerOff', weight: 0.7, step: workers.cutWorkerOff },
  { name: 'bringWorkerBack', weight: 3, step: workers.bringWorkerBack },
  { name: 'crashPostgres', weight: 8, step: workers.crashPostgres },
  { name: 'deliver', weight: 16, step: workers.deliver },
  { name: 'claimWithoutMessages', weight: 1.5, step: workers.claimWithoutMessages },
  { name: 'lookForUnheard', weight: 1, step: workers.lookForUnheard },
  { name: 'startHandlers', weight: 8, step: workers.startHandlers },
  { name: 'record', weight: 16, step: record },
  { name: 'recordAgain', weight: 3, step: recordAgain },
];
