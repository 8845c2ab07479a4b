import autocannon from 'autocannon';
import { cpuTimeBetween, readCpuTimes, residentMegabytes } from './cpu-time.ts';
import { printFigures, type Figure } from './figures.ts';
import { startSuiteWorld, type SuiteWorld } from './suite-world.ts';

/** Enough to keep two cores busy; more connections would only queue. */
const connections = 32;
const secondsPerOperation = 8;
/** Each assignment is mailed, so a larger number would take too long. */
const assignedTasks = 1_500;
/** Fills one page of a list, and leaves more than one page of tasks and notifications to choose from. */
const existingTasks = 200;

/** An operation at saturation. `whole` includes everything that it causes afterwards: events, notifications, mails. */
type Operation = { name: string; aim: number; whole?: true; load: Partial<autocannon.Options> };

/**
 * Measures the CPU time that one operation costs in each process of the suite, at saturation, through the gateway. Unlike throughput, CPU time hardly
 * depends on other work on the machine. The load generator is not counted.
 */
export async function measureCost(): Promise<void> {
  console.log(
    `cost: CPU per operation and part, ${secondsPerOperation} s each, ${connections} connections, synchronous commits`,
  );
  const world = await startSuiteWorld();
  try {
    const tasks = await addTasks(world);
    const roots = processesOf(world);
    for (const operation of operationsOf(world, tasks)) {
      // connections, plans and compiled code are warm
      await run(world, { ...operation.load, ...(operation.whole ? { amount: 100 } : { duration: 2 }) });
      await world.idle();
      const before = readCpuTimes(roots);
      const count = await run(world, operation.load);
      if (operation.whole) await world.idle();
      const used = [...cpuTimeBetween(before, readCpuTimes(roots))].map(([part, ms]) => ({ part, ms: ms / count }));
      const total = used.reduce((sum, { ms }) => sum + ms, 0);
      printFigures(`cost of: ${operation.name} (aim: ${operation.aim} ms)`, [
        { what: 'all parts', value: `${total.toFixed(2)} ms` },
        ...used
          .filter(({ ms }) => ms >= 0.005)
          .map(({ part, ms }): Figure => ({ what: part, value: `${ms.toFixed(2)} ms` })),
      ]);
    }
    printFigures(
      'resident memory afterwards (aim: below 120 MB for tasks and notifications)',
      ['auth', 'tasks', 'notifications'].map((name) => {
        return { what: name, value: `${Math.round(residentMegabytes(roots.get(name) ?? 0))} MB` };
      }),
    );
  } finally {
    await world.stop();
  }
}

async function addTasks({ call, manager, members }: SuiteWorld): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < existingTasks; n++) {
    const body = { title: `Water the plants ${n}`, assignee_id: members[n % members.length]?.id };
    ids.push((await call<{ id: string }>('POST', '/api/v1/tasks', { token: manager.token, body })).id);
  }
  return ids;
}

function processesOf({ suite }: SuiteWorld): Map<string, number> {
  return new Map(
    suite.processes.flatMap((part) => (part.pid() === undefined ? [] : [[part.name, part.pid() ?? 0] as const])),
  );
}

function operationsOf({ manager, members }: SuiteWorld, tasks: readonly string[]): Operation[] {
  const [member] = members;
  const as = (token = '') => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' });
  const get = (paths: readonly string[]): Partial<autocannon.Options> => ({
    duration: secondsPerOperation,
    requests: paths.map((path) => ({ method: 'GET', path, headers: as(member?.token) })),
  });
  const post = (body: () => unknown): Partial<autocannon.Options> => ({
    requests: [
      {
        method: 'POST',
        path: '/api/v1/tasks',
        headers: as(manager.token),
        setupRequest: (request) => ({ ...request, body: JSON.stringify(body()) }),
      },
    ],
  });
  let next = 0;
  return [
    { name: 'read one task', aim: 0.45, load: get(tasks.map((id) => `/api/v1/tasks/${id}`)) },
    { name: 'list tasks', aim: 1.5, load: get(['/api/v1/tasks']) },
    { name: 'list notifications', aim: 0.7, load: get(['/api/v1/notifications']) },
    {
      name: 'create a draft',
      aim: 1.75,
      load: { ...post(() => ({ title: 'Water the plants' })), duration: secondsPerOperation },
    },
    {
      name: 'create an assigned task, its notification and its mail',
      aim: 8,
      whole: true,
      load: {
        ...post(() => ({ title: 'Water the plants', assignee_id: members[next++ % members.length]?.id })),
        amount: assignedTasks,
      },
    },
  ];
}

async function run({ suite }: SuiteWorld, load: Partial<autocannon.Options>): Promise<number> {
  const result = await autocannon({ url: suite.url, connections, ...load });
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) throw new Error(`${failed} of ${result.requests.total} requests failed`);
  return result.requests.total;
}
