/**
 * What the two servers have in common of a job: Postgres says which jobs are to be published, RabbitMQ which of them it has, Postgres marks those.
 */

/** A job that is available and committed, whose message is to be published. */
export interface Publishable {
  id: string;
  type: string;
  queue: string;
  /** The claim count that the message belongs to. */
  fence: number;
  /** Of a priority above 0: others wait for its mark. Defaults to false. */
  isUrgent?: boolean;
}
