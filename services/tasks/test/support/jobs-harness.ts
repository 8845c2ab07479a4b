import { expect } from 'chai';
import type { schemas, tasksRoutes } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import type { z } from 'zod';
import { call as callAt, type Answer, type Call } from './api.ts';
import { tasksHarness, type TasksHarness } from './tasks-harness.ts';

type Body<O extends keyof typeof tasksRoutes> = z.output<
  (typeof tasksRoutes)[O]['responses'] extends Record<200, infer S extends z.ZodType> ? S : never
>;
export type Claimed = Body<'claimJobs'>['data'][number];
export type Job = Body<'getJob'>;
export type Receipt = z.output<(typeof tasksRoutes.enqueueJob.responses)[201]>;
export type ProblemBody = z.output<typeof schemas.problem>;

/** A client with its own queues, which enqueues jobs and executes them. */
export type JobClient = {
  queue: string;
  token: string;
  call(
    operation: Parameters<TasksHarness['call']>[0],
    body?: unknown,
    more?: Omit<Call, 'token' | 'body'>,
  ): Promise<Answer>;
  /** Enqueues a job and expects success. */
  enqueue(body?: Record<string, unknown>): Promise<Receipt>;
  claim(body?: Record<string, unknown>): Promise<Claimed[]>;
  read(id: string): Promise<Job>;
  /** Completes, fails or releases a lease; returns the status, and the state or problem code. */
  settle(
    verb: 'complete' | 'fail' | 'release',
    lease: Claimed,
    more?: Record<string, unknown>,
  ): Promise<[number, string]>;
  beat(...leases: Claimed[]): Promise<Body<'heartbeatJobs'>['data']>;
};

export type JobsHarness = TasksHarness & {
  /** `url` is that of another process of the service; without it, the client calls the first one. */
  client(o?: { queue?: string; clientId?: string; scope?: string; url?: string }): Promise<JobClient>;
  /** Moves the leases and the run time of a job into the past by this number of seconds. */
  age(id: string, seconds: number): Promise<void>;
  /** Records that a worker has just sent a heartbeat, and that the reaper has just run. */
  hear(): Promise<void>;
  sql<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>;
};

let queues = 0;

/** Starts the service without background loops, whose rounds the tests run themselves. */
export async function jobsHarness(settings: Record<string, string> = {}): Promise<JobsHarness> {
  const harness = await tasksHarness({ PROCESS_ROLE: 'api', ...settings });
  const sql = async <R extends object>(text: string, values: readonly unknown[] = []) =>
    await query<R>(harness.database.db.pool, text, values);
  return {
    ...harness,
    sql,
    client: async ({
      queue = `queue-${++queues}`,
      clientId = 'worker',
      scope = 'jobs:work jobs:enqueue',
      url = harness.service.http.url(),
    } = {}) => {
      const token = await harness.auth.workerToken({ clientId, scope, queues: [queue] });
      const call: JobClient['call'] = async (operation, body, more = {}) => {
        const given = { token, ...(body === undefined ? {} : { body }), ...more };
        let answer = await callAt(url, operation, given);
        // on a machine too busy for a statement or connection, the service answers 503 and has done nothing
        for (let time = 0; answer.status === 503 && time < 10; time++) answer = await callAt(url, operation, given);
        return answer;
      };
      const ask = async (...given: Parameters<JobClient['call']>) => {
        const answer = await call(...given);
        expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
        return answer.body;
      };
      return {
        queue,
        token,
        call,
        enqueue: async (body = {}) => (await ask('enqueueJob', { queue, kind: 'test', ...body })) as Receipt,
        claim: async (body = {}) => {
          const claim = { claim_id: crypto.randomUUID(), queues: [queue], limit: 100, worker: 'w1', ...body };
          return ((await ask('claimJobs', claim)) as { data: Claimed[] }).data;
        },
        read: async (id) => (await ask('getJob', undefined, { params: { id } })) as Job,
        async settle(verb, { id, lease_token }, more = {}) {
          const body = { lease_token, ...(verb === 'fail' ? { code: 'broken', message: 'It broke.' } : {}), ...more };
          const { status, body: answer } = await call(`${verb}Job`, body, { params: { id } });
          return [status, status < 300 ? (answer as { state: string }).state : (answer as ProblemBody).code];
        },
        beat: async (...leases) => {
          const body = { leases: leases.map(({ lease_token }) => ({ lease_token })) };
          return ((await ask('heartbeatJobs', body)) as Body<'heartbeatJobs'>).data;
        },
      };
    },
    async age(id, seconds) {
      await sql(
        `UPDATE jobs SET lease_expires_at = lease_expires_at - make_interval(secs => $2), run_at = run_at - make_interval(secs => $2),
           rank_at = rank_at - make_interval(secs => $2), deadline = deadline - make_interval(secs => $2),
           unique_until = unique_until - make_interval(secs => $2) WHERE id = $1`,
        [id, seconds],
      );
    },
    async hear() {
      await sql('UPDATE job_contact SET heard_at = clock_timestamp()');
      await sql('UPDATE job_reaper SET ticked_at = clock_timestamp(), is_outage = false');
    },
  };
}
