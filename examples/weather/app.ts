/**
 * The queue's side of the weather: a job for each report, which counts it in Valkey.
 */
import { defineApp } from 'warren/app';
import { countReport, createReportCounter } from './count-report.ts';
import { valkeyUrl } from './settings.ts';

export const app = defineApp({
  name: 'weather',
  queues: { weather: { channels: 5, prefetch: 20 } },
  jobs: [countReport],
  services: () => {
    const counter = createReportCounter(valkeyUrl());
    return { counter, [Symbol.asyncDispose]: () => counter[Symbol.asyncDispose]() };
  },
  module: import.meta.url,
});
