// Grafana's boards of a fleet. `npm run docs` writes them to k8s/components/boards; a test asks real exporters whether every metric exists.
import type { Board } from './grafana.ts';
import { postgres, rabbitmq } from './servers.ts';
import { fleet, jobType, oneQueue } from './work.ts';

export const boards: readonly Board[] = [fleet, oneQueue, jobType, postgres, rabbitmq];
