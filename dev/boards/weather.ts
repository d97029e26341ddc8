// The board of the example weather: its two sides beside each other. A test asks its programs whether every metric exists.
import type { Board } from './grafana.ts';
import { lines } from './grafana.ts';
import { HERE, percentiles, rateBy, waits } from './panels.ts';

const JOBS = `${HERE},queue="weather"`;

export const weather: Board = {
  uid: 'weather',
  title: 'Weather',
  about: 'Reports from the edge to the counts of both sides: the stream in Redis, the jobs in Valkey.',
  variables: [{ name: 'namespace', metric: 'weather_reports_counted', label: 'namespace' }],
  rows: [
    {
      title: 'What comes in',
      panels: [
        lines(
          'Requests by status',
          'reqps',
          '503: one of the two ways is not safe; the sender sends it again.',
          [rateBy('weather_request_duration_seconds_count', HERE, 'status'), '{{status}}'],
        ),
        {
          title: 'Time of a request',
          meaning:
            'From its arrival at the edge to its answer: gRPC, the commit of the job, the confirm of the stream.',
          series: percentiles('weather_request_duration_seconds', `${HERE},route="/weather"`),
          unit: 's',
        },
        lines(
          'Reports by outcome',
          'ops',
          'failed: they are safe on one way at most until they are sent again.',
          [rateBy('weather_reports_total', HERE, 'outcome'), '{{outcome}}'],
        ),
      ],
    },
    {
      title: 'Both sides',
      panels: [
        lines('Counted', 'short', 'Redis has what came by the stream, Valkey what came by the queue.', [
          `max by (side) (weather_reports_counted{${HERE}})`,
          '{{side}}',
        ]),
        lines(
          'Difference',
          'short',
          'The reports that one side has counted and the other has not. For a moment some always are; for long, a side stands still.',
          [
            `abs(sum(max by (side) (weather_reports_counted{${HERE},side="redis"})) - sum(max by (side) (weather_reports_counted{${HERE},side="valkey"})))`,
            'reports',
          ],
        ),
      ],
    },
    {
      title: 'The stream, counted in Redis',
      panels: [
        lines(
          'Messages by outcome',
          'ops',
          'repeated: they were counted before, as after a reader was killed.',
          [rateBy('weather_stream_entries_total', HERE, 'outcome'), '{{outcome}}'],
        ),
        lines(
          'Place in the stream',
          'short',
          'Flat while reports come in: the reader is away, or Redis is.',
          [`max(weather_stream_offset{${HERE}})`, 'offset'],
        ),
      ],
    },
    {
      title: 'The jobs, counted in Valkey',
      panels: [
        lines(
          'Jobs ended',
          'ops',
          'discarded: reports that Valkey will never count unless they are retried.',
          [rateBy('warren_jobs_finished_total', JOBS, 'state'), '{{state}}'],
        ),
        lines(
          'Jobs that wait',
          'short',
          'Rising while reports come in: the workers are away, or Valkey is.',
          [`max by (state) (warren_jobs{${JOBS},state=~"available|retryable"})`, '{{state}}'],
        ),
        waits(JOBS),
      ],
    },
  ],
};
