import type { Fault } from '../fault.ts';
import { startWorker, untilScraped } from '../job-worker.ts';
import { until } from '../world.ts';

const queue = 'drill';
/** Enough expired leases for the alert, and one job that fails. */
const count = 13;

/** A worker fails a job, and dies with the others. */
export const jobFaults: readonly Fault[] = [
  {
    title: 'a worker failed a job, lost its leases, and has been away for an hour (dated back)',
    alerts: ['JobsAreDead', 'LeasesExpire', 'JobsWait'],
    async begin(world) {
      const { enqueue, claim, settle } = await startWorker(world, queue);
      await enqueue(count);
      const [first, ...others] = await claim(count);
      if (first === undefined || others.length !== count - 1) throw new Error('not all jobs were claimed');
      await untilScraped(world, 'jobs_reaped_total', queue);
      await settle([first], { fail: { code: 'unreadable', message: 'The input is no drill.', final: true } });
      const expire = `UPDATE jobs SET lease_expires_at = lease_expires_at - interval '10 minutes' WHERE queue = $1 AND fence IS NOT NULL`;
      const date = `UPDATE jobs SET run_at = run_at - interval '61 minutes' WHERE queue = $1 AND state = 'queued'`;
      await until(async () => {
        // again, because the reaper extends each lease once when workers were silent for a moment
        await world.sql('tasks', expire, [queue]);
        return ((await world.sql('tasks', date, [queue])).rowCount ?? 0) > 0;
      });
      return async () => {
        await settle(await claim(count), { complete: {} });
        await world.call('admin', 'POST', '/api/v1/jobs/drop', {
          filter: { queue },
          reason: 'the drill of the alerts',
        });
      };
    },
  },
];
