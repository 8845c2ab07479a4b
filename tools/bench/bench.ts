import { measureConsume } from './consume.ts';
import { measureCost } from './cost.ts';
import { measureDirectory } from './directory.ts';
import { measureJobs } from './jobs.ts';
import { measureLatency } from './latency.ts';
import { measureLists } from './lists.ts';
import { measureMixed } from './mixed.ts';
import { measurePartitions } from './partitions.ts';
import { measureBacklog, measureSnapshot } from './relay-long.ts';
import { measureDrain, onOutbox } from './relay.ts';
import { measureSync } from './sync.ts';
import { measureTokens } from './tokens.ts';
import { measureWriteTraces } from './write-traces.ts';
import { measureWrite } from './write.ts';

type Benchmark = { about: string; run: () => Promise<void> };

/** `npm run bench -- <name>`: each benchmark prints its measurements together with their ceiling, from the same run on the same servers. */
const benchmarks: Readonly<Record<string, Benchmark>> = {
  write: { about: 'POST /api/v1/tasks against the bare statement; 2 minutes', run: measureWrite },
  'write-traces': { about: 'the same with and without traces; 4 minutes', run: measureWriteTraces },
  relay: {
    about: 'all three below, one after the other; 6 minutes',
    run: () =>
      onOutbox(async (bench) => {
        await measureDrain(bench);
        await measureBacklog(bench);
        await measureSnapshot(bench);
      }),
  },
  'relay-drain': { about: 'a backlog, beside bare publishes, a plain loop, a peer', run: () => onOutbox(measureDrain) },
  'relay-backlog': { about: 'a backlog of a million rows', run: () => onOutbox(measureBacklog) },
  'relay-snapshot': { about: 'a million events while a snapshot is held', run: () => onOutbox(measureSnapshot) },
  partitions: {
    about: 'relays and consumers with 1, 2 and 4 partitions, and a restart of the broker; 5 minutes',
    run: measurePartitions,
  },
  latency: { about: 'commit to handler at 500 events/s; 1 minute', run: measureLatency },
  directory: { about: 'rebuild of 100,000 users, and Auth during it; 2 minutes', run: measureDirectory },
  consume: { about: 'inbox and a one-row effect; 1 minute', run: measureConsume },
  cost: { about: 'CPU time per operation and process, at saturation; 2 minutes', run: measureCost },
  lists: {
    about: 'lists, search and suggestions with 10,000 and a million tasks; 5 minutes',
    run: () => measureLists(),
  },
  'lists-10m': {
    about: 'the same with 10 million tasks; an hour, and 20 GB',
    run: () => measureLists([10_000, 1_000_000, 10_000_000]),
  },
  sync: { about: 'first copies of 100,000 tasks, and the time until a change is visible; 2 minutes', run: measureSync },
  mixed: { about: 'response times of mixed traffic at fixed rates; 1 minute', run: measureMixed },
  jobs: { about: 'jobs, schedules and reminders beside pg-boss and graphile-worker; 4 minutes', run: measureJobs },
  'jobs-snapshot': { about: 'the same with a snapshot held for 10 minutes', run: () => measureJobs(600) },
  tokens: { about: 'token endpoint, verification of tokens, log-ins; 3 minutes', run: measureTokens },
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in benchmarks));
if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no benchmark ${unknown.join(', ')}.`);
  console.error('Usage: npm run bench -- <name> ...');
  for (const [name, { about }] of Object.entries(benchmarks)) console.error(`  ${name.padEnd(14)}  ${about}`);
  process.exit(2);
}
for (const name of names) await benchmarks[name]?.run();
process.exit(0);
