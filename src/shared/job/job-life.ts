/**
 * What is known of a job's life beside the job itself. Types only, no behaviour.
 */

export interface JobLife {
  /** RabbitMQ has confirmed its message; null where it has not, or needs not. */
  publishedAt: Date | null;
  /** A person has asked it to stop. */
  cancelRequestedAt: Date | null;
  /** The name of the worker that has claimed it last, as long as that is known. */
  worker: string | null;
  /** The schedule whose tick it is; null for any other job. */
  schedule: string | null;
}
