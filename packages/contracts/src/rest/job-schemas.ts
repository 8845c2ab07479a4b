import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { givenInstant, jobStates, prose, queueName, reasonText } from './schemas.ts';

export const jobState = z.enum(jobStates);

/**
 * The maximum size of a payload or result, in bytes of compact JSON: workers hold up to a hundred of them, and larger data belongs in an object
 * store.
 */
const largestPayloadBytes = 64 * 1024;
/** The maximum body of a batch: half of it allows an average of 2 KiB for each of 1,000 jobs. */
export const largestBatchBytes = 4 * 1024 * 1024;
/** A client that escapes every character sends six bytes for each. */
export const largestJobBytes = 6 * largestPayloadBytes + 64 * 1024;
/** A payload of 64 KiB has at most 32,768 values, such as `[0,0,…]`. */
export const valuesOfJob = 40_000;
/** This allows an average of 200 values for each of 1,000 jobs; counting and parsing this number takes about 50 ms. */
export const valuesOfBatch = 200_000;
/** A year: anything later is a mistake. */
const longestWindowMs = 366 * 86_400_000;

export const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // eslint-disable-next-line no-control-regex -- the pattern rejects control characters
    .regex(/^[^\u0000-\u001f\u007f]*$/u, 'must not have control characters');

/** JSON of limited size. */
export function jsonValue(what: string) {
  return z.unknown().refine(
    (value) => {
      const text = JSON.stringify(value ?? null);
      return Buffer.byteLength(text) <= largestPayloadBytes;
    },
    { message: `must have at most ${largestPayloadBytes} bytes as compact JSON`, params: { code: 'too_big' } },
  ).describe(`${what}: any JSON of at most ${largestPayloadBytes} bytes`);
}

/** A duration such as PT1H or P1DT12H, converted to milliseconds. Months and years have no fixed length. */
const window = z
  .string()
  .max(40)
  .regex(/^P(?=\d|T\d)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/, {
    abort: true,
    message: 'must be a length in days, hours, minutes and seconds, for example PT1H',
  })
  .refine((text) => windowMs(text) >= 1_000 && windowMs(text) <= longestWindowMs, {
    message: 'must be from one second to 366 days',
    params: { code: 'out_of_range' },
  });

/** Returns the milliseconds of a duration that `unique.window` accepts. */
export function windowMs(text: string): number {
  const of = (unit: string, part: string) => Number(new RegExp(`(\\d+)${unit}`).exec(part)?.[1] ?? 0);
  const [days = '', time = ''] = text.split('T');
  return (of('D', days) * 86_400 + of('H', time) * 3_600 + of('M', time) * 60 + of('S', time)) * 1_000;
}

const onConflict = z
  .enum(['return', 'reject'])
  .default('return')
  .describe('return: the response is the job that holds the key; reject: 409 `job_exists`');
const unique = z.discriminatedUnion('until', [
  z.strictObject({ key: line(200), until: z.literal('settled'), on_conflict: onConflict }),
  z.strictObject({ key: line(200), until: z.literal('window'), window, on_conflict: onConflict }),
]);

/** A new job. */
export const newJob = z.strictObject({
  queue: queueName,
  kind: line(100).describe('the kind of work, by which the worker chooses its handler, such as render_report'),
  payload: jsonValue('the input of the job').default({}),
  run_at: givenInstant.optional().describe('the earliest start; now if omitted or in the past'),
  priority: z.int().min(0).max(9).default(0).describe('each step is worth a minute of waiting'),
  max_attempts: z.int().min(1).max(100).default(20),
  deadline: givenInstant.optional().describe('the latest start, not before run_at; a job that has not started by then is dead'),
  unique: unique.optional().describe('at most one job with this key in its queue'),
  concurrency_key: line(200).optional().describe('jobs of the same key share the limits of `setJobLimit`'),
  after: z
    .array(uuid)
    .max(100)
    .default([])
    .describe('starts when these jobs have succeeded; is cancelled when one of them dies or is cancelled'),
});

/** The response to a new job. */
export const receipt = z.object({
  id: uuid,
  queue: z.string(),
  kind: z.string(),
  state: jobState,
  run_at: instant,
  is_existing: z.boolean().describe('whether this is an earlier job with the same unique key'),
});

export const job = z.object({
  id: uuid,
  queue: z.string(),
  kind: z.string(),
  task_id: uuid.nullable().describe('the task that the job carries out, if it belongs to one'),
  payload: z.unknown(),
  state: jobState,
  priority: z.int(),
  run_at: instant.describe('the earliest start'),
  deadline: instant.nullable(),
  attempts: z.int().describe('attempts that ended; leases that no worker confirmed do not count'),
  max_attempts: z.int(),
  unique_key: z.string().nullable(),
  progress: z.unknown().describe('the last progress that the worker reported; null without one'),
  result: z.unknown().describe('null unless the job has succeeded'),
  error: z.object({ code: z.string(), message: z.string() }).nullable().describe('the error of the last failed attempt'),
  reason: z.string().nullable().describe('why the job is dead or cancelled, for example attempts_exhausted, final, poison, undelivered, deadline, predecessor'),
  cancel_requested: z.boolean(),
  created_at: instant,
  settled_at: instant.nullable(),
});

export const leaseToken = z
  .string()
  .max(60)
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[1-9]\d{0,17}$/, 'must be the lease_token of a claim, unchanged');

export const claimedJob = z.object({
  id: uuid,
  queue: z.string(),
  kind: z.string(),
  payload: z.unknown(),
  attempt: z.int().describe('from 1'),
  fence: z.int().describe('grows with every lease; a store that compares it rejects the writes of an earlier worker'),
  lease_token: z.string(),
  lease_ms: z.int().describe('the remaining time of the lease; count it from the sending of the request, on a monotonic clock'),
  lease_expires_at: instant,
  deadline: instant.nullable(),
});

export const lost = z.literal('lease_lost').describe('the lease has ended, and the job may have another worker');
export const settledLease = { state: jobState, run_at: instant.describe('the earliest start of the next attempt, if there is one') };

/** `fail` ends the attempt. Without `final` the job is retried with back-off, until its attempts are exhausted. */
export const failure = {
  code: line(100).describe('a stable code, for programs'),
  message: prose.max(2_000).describe('for people'),
  final: z.boolean().default(false).describe('no further attempt would succeed, so the job is dead at once'),
  retry_after: z.int().min(0).max(86_400).optional().describe('seconds to wait, instead of the back-off'),
};
export const result = jsonValue('the result of the job').optional();

/** Recorded in the audit of the job. */
export const operatorsReason = reasonText.describe('why, for the audit of the job');

export const settlement = z.union(
  [
    z.strictObject({ lease_token: leaseToken, complete: z.strictObject({ result }) }),
    z.strictObject({ lease_token: leaseToken, fail: z.strictObject(failure) }),
    z.strictObject({ lease_token: leaseToken, release: z.literal(true) }),
  ],
  'must have a lease_token and one of complete, fail and release, for example {"lease_token": "…", "complete": {}}',
);

export const onlyOnce = (items: readonly { lease_token: string }[]) =>
  new Set(items.map((item) => item.lease_token)).size === items.length;
export const namedTwice = { message: 'must not name a lease twice' };

/** The period of a rate, at most a day, which allows for the daily quotas of other systems. */
const periodSeconds = z.int().min(1).max(86_400);
export const limits = {
  max_running: z.int().min(1).max(10_000).nullable().describe('the maximum number of jobs of the key that are leased at a time; null for no limit'),
  rate: z
    .strictObject({ n: z.int().min(1).max(100_000), per: periodSeconds.describe('seconds') })
    .nullable()
    .describe('the maximum number of starts in a period, all at once or spread out; null for no limit'),
};
export const limit = z.object({ key: z.string().describe('`*`: each key that has no limits of its own, separately'), ...limits });
