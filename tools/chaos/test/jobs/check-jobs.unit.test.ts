import { expect } from 'chai';
import { check } from '../../check/check.ts';
import type { Evidence } from '../../evidence.ts';
import type { AttemptRow, JobAct, JobRow } from '../../job-evidence.ts';
import { limitedKey } from '../../workload/jobs/names.ts';
import { at, brokenBy, early, jobsRun, late } from './jobs-run.ts';

const rowOf = ({ world }: Evidence, id: string): JobRow => world.jobs.find((job) => job.id === id)!;
const attemptOf = ({ world }: Evidence, fence: number): AttemptRow =>
  world.jobAttempts.find((attempt) => attempt.fence === fence)!;
const actsOf = <K extends JobAct['kind']>({ jobActs }: Evidence, kind: K) =>
  jobActs.filter((act): act is Extract<JobAct, { kind: K }> => act.kind === kind);

describe('the checker of chaos runs, on jobs', () => {
  it('accepts a run in which a worker stops, a job waits for another, and a dead job is replayed', () => {
    expect(check(jobsRun())).deep.equal([]);
  });

  describe('that must be kept', () => {
    const rule = 'jobs are kept';

    it('finds an acknowledged job without a row', () => {
      expect(brokenBy((run) => void (run.world.jobs = run.world.jobs.filter(({ id }) => id !== early)))).include(rule);
    });

    it('finds a job that never ended', () => {
      expect(brokenBy((run) => Object.assign(rowOf(run, early), { state: 'queued', settled_at: null }))).include(rule);
    });

    it('finds a job that was stored twice, and one with other fields than requested', () => {
      expect(brokenBy(({ world }) => void world.jobs.push({ ...world.jobs[0]!, id: 'copy' }))).include(rule);
      expect(brokenBy((run) => void (rowOf(run, early).priority = 3))).deep.equal([rule]);
    });

    it('finds a job of a refused request, and one that was never requested', () => {
      const refuse = ({ jobActs }: Evidence) => Object.assign(jobActs[1]!, { outcome: 'refused', receipts: [] });
      expect(brokenBy(refuse)).include(rule);
      expect(brokenBy((run) => void (rowOf(run, early).name = 'stray'))).include(rule);
    });

    it('finds a batch that is stored in part', () => {
      const store = (...names: string[]) =>
        brokenBy(({ world }) => {
          for (const name of names) world.jobs.push({ ...world.jobs[0]!, id: name, name, state: 'cancelled' });
        });
      expect(store('j4')).include(rule);
      expect(store('j4', 'j5')).not.include(rule);
    });

    it('finds another response to the same Idempotency-Key', () => {
      expect(brokenBy((run) => void (actsOf(run, 'enqueue')[1]!.repeated = [['other']]))).deep.equal([rule]);
    });

    it('finds an existing job with another unique key', () => {
      const reuse = (uniqueKey: string | null) =>
        brokenBy((run) => {
          rowOf(run, early).unique_key = 'u1';
          const jobs = [{ ...actsOf(run, 'enqueue')[0]!.jobs[0]!, name: 'j6', uniqueKey }];
          const receipts = [{ id: early, isExisting: true }];
          run.jobActs.push({ kind: 'enqueue', at: at(1), outcome: 'acknowledged', jobs, receipts, repeated: [] });
        });
      expect(reuse('u1')).deep.equal([]);
      expect(reuse('u2')).deep.equal([rule]);
    });

    it('finds an acknowledged cancellation without an effect', () => {
      const cancel = (state: string) =>
        brokenBy(({ jobActs }) => {
          jobActs.push({ kind: 'cancel', at: at(1), jobId: early, outcome: 'acknowledged', state });
        });
      expect(cancel('cancelled')).deep.equal([rule]);
      expect(cancel('leased')).deep.equal([rule]);
    });
  });

  describe('with leases', () => {
    it('finds a lease that another one replaced', () => {
      const replace = ({ jobActs }: Evidence) => {
        const lease = { kind: 'lease', at: at(1), worker: 'worker 2', fence: 9, name: 'j1' } as const;
        jobActs.push({ ...lease, jobId: early, expiresAt: at(16) });
      };
      expect(brokenBy(replace)).deep.equal(['a job has one lease at a time']);
    });

    it('finds a fence that two jobs have', () => {
      expect(brokenBy((run) => void (actsOf(run, 'lease')[1]!.fence = 1))).include('a job has one lease at a time');
    });

    it('finds leases of one job that overlap', () => {
      expect(brokenBy((run) => void (attemptOf(run, 3).leased_at = at(18)))).deep.equal([
        'a job has one lease at a time',
      ]);
    });

    it('finds a lease that was ended before it expired', () => {
      expect(brokenBy((run) => void (attemptOf(run, 2).ended_at = at(18)))).deep.equal(['live leases are kept']);
    });

    it('finds a worker process that still works after its lease has ended, unless it was paused', () => {
      const writeLate = (seconds: number, wasPaused: boolean) =>
        brokenBy(({ jobActs }) => {
          const write = { kind: 'write', at: at(seconds), jobId: early, fence: 1, accepted: true, wasPaused } as const;
          jobActs.splice(5, 0, write);
        });
      // claimed in second 1, for 15 s
      expect(writeLate(17, false)).deep.equal(['workers stop before their leases end']);
      expect(writeLate(17, true)).deep.equal([]);
      expect(writeLate(16, false)).deep.equal([]);
    });

    it('finds a lease that counts as undelivered after a heartbeat', () => {
      expect(brokenBy((run) => void (attemptOf(run, 2).outcome = 'undelivered'))).deep.equal(['live leases are kept']);
    });
  });

  describe('that are settled', () => {
    const rule = 'jobs are settled once';

    it('finds a job that was completed twice', () => {
      expect(brokenBy((run) => void (attemptOf(run, 2).outcome = 'completed'))).include(rule);
    });

    it('finds a job that succeeded although no lease was completed', () => {
      expect(brokenBy((run) => void (attemptOf(run, 1).outcome = 'released'))).include(rule);
    });

    it('finds an acknowledged settlement of a lease that ended otherwise', () => {
      expect(brokenBy((run) => void (actsOf(run, 'settle')[2]!.outcome = 'settled'))).deep.equal([rule]);
    });

    it('finds a rejected settlement of a lease that ended with it', () => {
      expect(brokenBy((run) => void (actsOf(run, 'settle')[0]!.outcome = 'lease_lost'))).deep.equal([rule]);
    });
  });

  describe('with fences', () => {
    const rule = 'stale fences have no effect';

    it('finds a lease that was ended by the settlement of another', () => {
      expect(
        brokenBy(
          ({ jobActs }) =>
            void jobActs.splice(
              jobActs.findIndex(({ kind }) => kind === 'settle'),
              1,
            ),
        ),
      )
        .deep // prettier-ignore
        .equal([rule]);
      expect(brokenBy((run) => void (actsOf(run, 'settle')[0]!.sentAt = at(3)))).deep.equal([rule]);
    });

    it('finds the result of another lease', () => {
      expect(brokenBy((run) => void (rowOf(run, late).result_fence = 2))).deep.equal([rule]);
    });

    it('finds a write of an earlier lease that was accepted after one of a later lease', () => {
      expect(brokenBy((run) => void (actsOf(run, 'write').at(-1)!.accepted = true))).deep.equal([rule]);
    });

    it('finds a write of the current lease that was rejected', () => {
      expect(brokenBy((run) => void (actsOf(run, 'write')[2]!.accepted = false))).deep.equal([rule]);
    });
  });

  describe('that have to wait', () => {
    const rule = 'jobs wait for limits and predecessors';

    it('finds a job that started before its predecessor had succeeded', () => {
      expect(brokenBy((run) => void (attemptOf(run, 2).leased_at = at(1)))).deep.equal([rule]);
    });

    it('finds a job that started before its time', () => {
      expect(brokenBy((run) => void (actsOf(run, 'enqueue')[1]!.jobs[0]!.runAt = at(6)))).deep.equal([rule]);
    });

    it('finds more running jobs of a key than its limit', () => {
      const violations = (ids: string[]) => {
        const evidence = jobsRun();
        // all three run from second 8 to 9
        for (const job of evidence.world.jobs) if (ids.includes(job.id)) job.concurrency_key = limitedKey;
        attemptOf(evidence, 1).ended_at = at(9);
        return check(evidence).filter(({ what }) => what.includes('had the running jobs'));
      };
      expect(violations([early, late])).deep.equal([]);
      expect(violations([early, late, 'job-replayed'])).lengthOf(1);
    });
  });

  describe('and their events', () => {
    const rule = 'every change is published once';

    it('finds an end without an event, with two, or with another time', () => {
      expect(brokenBy(({ events }) => void events.pop())).deep.equal([rule]);
      const double = ({ events }: Evidence) =>
        void events.push({ ...events.at(-1)!, messageId: 'x', timestamp: at(10) });
      expect(brokenBy(double)).deep.equal([rule]);
      expect(brokenBy((run) => void (rowOf(run, early).settled_at = at(1)))).include(rule);
    });

    it('finds a death without an event before a replay', () => {
      expect(brokenBy(({ world }) => void (world.jobAudit = []))).deep.equal([rule]);
    });

    it('finds events of a job that does not exist', () => {
      expect(brokenBy(({ events }) => void (events.at(-1)!.aggregateId = 'stray'))).deep.equal([rule]);
    });
  });
});
