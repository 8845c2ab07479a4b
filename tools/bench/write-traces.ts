import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { freePorts, type ManagedProcess } from '@taskwire/process-supervisor';
import { startService, thisRelease } from '../../infra/local/own-servers.ts';
import { cpuTimeBetween, readCpuTimes } from './cpu-time.ts';
import { median, medianWithin, perSecond, printFigures } from './figures.ts';
import { startSuiteWorld, type SuiteWorld } from './suite-world.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Short and many, because the difference is smaller than the drift of a machine within a minute. */
const rounds = 24;
const secondsPerRound = 3;
const connections = 32;

/** The environments of Tasks with and without traces. The endpoint is added later. */
const contenders = {
  'without traces': {},
  'traces of 10 %': { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
  'traces of all': { OTEL_TRACES_SAMPLER: 'always_on' },
} as const;
type Contender = keyof typeof contenders;

type Round = { rate: number; requests: number; cpuMs: number };

/**
 * Measures `POST /api/v1/tasks` with and without traces, alternately, on three processes of Tasks with the role `api`. They share one database, whose
 * events another process relays. The receiver of the traces is a process of its own, which discards them.
 */
export async function measureWriteTraces(): Promise<void> {
  console.log(`write-traces: POST /api/v1/tasks, ${rounds} × ${secondsPerRound} s each, ${connections} connections`);
  const { dir: logs, remove } = temporaryFolder();
  const world = await startSuiteWorld();
  const receiver = await startReceiver();
  const processes = new Map<Contender, { url: string; process: ManagedProcess }>();
  try {
    for (const name of Object.keys(contenders) as Contender[]) {
      processes.set(name, await startTasks(world, name, { endpoint: receiver.url, logs }));
    }
    const measured: Record<Contender, Round[]> = { 'without traces': [], 'traces of 10 %': [], 'traces of all': [] };
    for (let round = 0; round <= rounds; round++) {
      // each contender comes first, second and third equally often
      const order = [...processes].map((_, place, all) => all[(place + round) % all.length]);
      for (const entry of order) {
        if (entry === undefined) continue;
        const [name, { url, process }] = entry;
        const result = await measure(world, url, process);
        // the first round warms up connections, plans and compiled code
        if (round > 0) measured[name].push(result);
        await world.idle();
      }
    }
    print(measured, receiver.received());
  } finally {
    for (const { process } of processes.values()) await process.stop();
    receiver.stop();
    await world.stop();
    remove();
  }
}

async function measure({ manager }: SuiteWorld, url: string, { pid }: ManagedProcess): Promise<Round> {
  const roots = new Map([['tasks', pid ?? 0]]);
  const before = readCpuTimes(roots);
  const result = await autocannon({
    ...{ url: `${url}/api/v1/tasks`, method: 'POST', connections, duration: secondsPerRound },
    headers: { 'content-type': 'application/json', authorization: `Bearer ${manager.token}` },
    body: JSON.stringify({ title: 'Water the plants' }),
  });
  if (result.errors + result.timeouts + result.non2xx > 0) throw new Error('requests failed');
  const used = cpuTimeBetween(before, readCpuTimes(roots)).get('tasks') ?? 0;
  return { rate: result.requests.total / result.duration, requests: result.requests.total, cpuMs: used };
}

function print(measured: Record<Contender, Round[]>, batches: number): void {
  const base = measured['without traces'];
  // rounds that ran one after the other are compared, so that the drift of the machine cancels out
  const ratioTo = (rounds: Round[], figure: (round: Round) => number) => {
    const ratios = rounds.flatMap((round, place) => (base[place] ? [figure(round) / figure(base[place])] : []));
    const { median: middle, from, to } = medianWithin(ratios);
    return rounds === base ? '' : `, ${percent(middle)} (${percent(from)} to ${percent(to)})`;
  };
  const cpuOf = ({ cpuMs, requests }: Round) => cpuMs / requests;
  printFigures(
    'write with traces: the median of the rounds, and its share of the round without traces beside it, with the range of that share at 95 %',
    (Object.keys(measured) as Contender[]).flatMap((name) => {
      const all = measured[name];
      return [
        {
          what: `${name}: rate${name === 'traces of 10 %' ? ' (aim: 97 %)' : ''}`,
          value: `${perSecond(median(all.map(({ rate }) => rate)), 'requests')}${ratioTo(all, ({ rate }) => rate)}`,
        },
        {
          what: `${name}: CPU time of Tasks per request`,
          value: `${median(all.map(cpuOf)).toFixed(3)} ms${ratioTo(all, cpuOf)}`,
        },
      ];
    }),
  );
  console.log(`  the receiver got ${batches} requests of traces`);
  if (batches === 0) throw new Error('no traces arrived, so their cost was not measured');
}

async function startTasks({ suite }: SuiteWorld, name: Contender, to: { endpoint: string; logs: string }) {
  const [port = 0] = await freePorts(1);
  const traces = name === 'without traces' ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: to.endpoint };
  const env = { ...suite.envOf('tasks'), ...contenders[name], ...traces, PORT: String(port), PROCESS_ROLE: 'api' };
  const logFile = join(to.logs, `${name}.log`);
  const process = await startService('tasks', { port, env, logFile, signal: neverAborted, release: thisRelease });
  return { url: `http://127.0.0.1:${port}`, process };
}

const neverAborted = new AbortController().signal;

/** Starts a process that accepts and discards traces. */
async function startReceiver(): Promise<{ url: string; received(): number; stop(): void }> {
  const program = fileURLToPath(new URL('trace-receiver.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let received = 0;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)));
    child.on('message', (message: { port?: number }) =>
      message.port === undefined ? (received += 1) : resolve(message.port),
    );
  });
  return { url: `http://127.0.0.1:${port}`, received: () => received, stop: () => void child.kill() };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
