import type { Delivery } from '@taskwire/rabbit';

/** When a message passed the steps before its handling. */
export type Transit = {
  /** By the clock of the publisher's database, in the format of a timestamptz; undefined if the header is absent or not a time. */
  createdAt: string | undefined;
  publishedAt: string | undefined;
  /** By the monotonic clock of this process, in milliseconds. */
  consumedAt: number;
};

export function transitOf({ headers }: Delivery): Transit {
  const { created_at: createdAt, published_at: publishedAt } = headers;
  return { createdAt: instantOf(createdAt), publishedAt: instantOf(publishedAt), consumedAt: performance.now() };
}

const format = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{0,3}Z$/;

/** Accepts only times that PostgreSQL can read. A message with any other time could be neither recorded nor handled. */
export function instantOf(value: unknown): string | undefined {
  const match = typeof value === 'string' ? format.exec(value) : null;
  if (match === null || match[0].startsWith('0000')) return undefined;
  const time = new Date(`${match[1]}Z`);
  // JavaScript reads the 31st of February as a day of March
  return !Number.isNaN(time.getTime()) && time.toISOString() === `${match[1]}Z` ? match[0] : undefined;
}
