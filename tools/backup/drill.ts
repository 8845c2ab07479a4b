import { randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { databaseUrl, freePorts, provisionDatabase } from '@taskwire/process-supervisor';
import { demoPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import { connected, startArchivingPostgres, until, type ArchivingPostgres } from './archiving-postgres.ts';
import { cacheDrift, directoryDrift, rows } from './consistency.ts';
import { logIn, expectStatus, type Session } from './front-end.ts';
import { randomOf, startLoad, type Acknowledged, type Load } from './load.ts';
import { scenarioOf, type People, type Scenario, type ServiceName, type Stage } from './scenarios.ts';
import { dataFaults, proveCheck } from './verify-data.ts';

export type DrillOptions = {
  /** The service whose database is lost. */
  service: ServiceName;
  seed: number;
  /** For data and logs. */
  dir: string;
  say: (text: string) => void;
};

/** The duration of each step of the runbook and of all steps together, in seconds. */
export type Figures = { steps: Readonly<Record<string, number>>; seconds: number };

/** The specification allows ten minutes from the first step of the runbook to a consistent suite. */
const limitSeconds = 600;
const driftTimeoutMs = 180_000;
const tools = fileURLToPath(new URL('..', import.meta.url));

/**
 * Deletes the database of one service under load, restores it to a point in time, and follows docs/runbooks/restore.md. Everything acknowledged up to
 * that time must exist, and nothing acknowledged after it; the suite must be consistent and work. @throws an error about the first expectation that
 * is not met.
 */
export async function runDrill({ service, seed, dir, say }: DrillOptions): Promise<Figures> {
  const random = randomOf(seed);
  const secrets = newSecrets();
  const [port = 0] = await freePorts(1);
  const postgresDir = join(dir, 'lost');
  mkdirSync(postgresDir, { recursive: true, mode: 0o711 });
  const postgres = await startArchivingPostgres({ dir: postgresDir, port, password: secrets.database.superuser });
  let suite: Suite | undefined;
  let load: Load | undefined;
  try {
    const login = { database: `taskwire_${service}`, login: service, password: secrets.database[service] };
    await provisionDatabase(postgres.url, login);
    suite = await startSuite({
      ...{ dir: join(dir, 'suite'), ports: await freeSuitePorts(), secrets, restarts: 'manual', people: demoPeople },
      external: { databases: { [service]: databaseUrl(postgres.url, login) } },
      postgresSettings: { fsync: 'off', full_page_writes: 'off' },
      // all requests come from one address; the limits have separate tests
      gateway: { requestsPerSecond: 1000, burst: 1000, loginsPerMinute: 6000, loginBurst: 1000 },
    });
    const people = await gatherPeople(suite);
    const stage: Stage = { url: suite.url, databaseUrl: suite.databaseUrl, people };
    const scenario = scenarioOf(service, stage);
    // the first member belongs to the scenario
    load = startLoad({ ...people, members: people.members.slice(1) }, random);
    say(`the suite works under load (seed ${seed})`);
    await delay(2_000 + random() * 3_000);
    await postgres.backUp();
    await delay(1_000 + random() * 4_000);
    const time = await chooseTime(postgres, suite.databaseUrl(service), scenario);
    await delay(1_000 + random() * 3_000);
    await postgres.archive();
    const lostAt = Date.now();
    await postgres.lose();
    say(`the database of ${service} is lost; it is restored to ${time}`);
    const figures = await followRunbook({ service, suite, postgres, time, say });
    await load.stop();
    say(`${load.acknowledged.length} writes were acknowledged, ${load.failures()} requests failed`);
    const period = { from: Date.parse(`${time.replace(' ', 'T')}:00`), until: lostAt };
    await checkAcknowledged(service, load.acknowledged, period, stage);
    await scenario.check();
    await checkMarks(suite.databaseUrl(service));
    await untilNone(async () => await directoryDrift(urlsOf(stage)), 'drift at the end');
    if (figures.seconds > limitSeconds)
      throw new Error(`it took ${figures.seconds.toFixed(0)} s, ${limitSeconds} are allowed`);
    return figures;
  } finally {
    await load?.stop();
    await suite?.stop();
    await postgres.stop();
  }
}

async function gatherPeople({ url }: Suite): Promise<People> {
  const demo = async (name: string): Promise<Session> => {
    const person = demoPeople.find(({ email }) => email.startsWith(`${name}@`));
    if (person === undefined) throw new Error(`there is no demo user ${name}`);
    return await logIn(url, person.email, person.password);
  };
  const admin = await demo('admin');
  const members: Session[] = [];
  for (let n = 0; n < 4; n++) {
    const [email, password] = [`drill-${n}-${randomUUID()}@taskwire.test`, randomUUID()];
    const body = { email, password, name: `Drill ${n}`, role: 'member' };
    expectStatus(await admin.call('POST', '/api/v1/users', body), 201, 'a new member');
    members.push(await logIn(url, email, password));
  }
  return { admin, manager: await demo('manager'), members };
}

/** Chooses the time by the database's clock, and commits one row directly before it and one directly after it. */
async function chooseTime(postgres: ArchivingPostgres, ownerUrl: string, scenario: Scenario): Promise<string> {
  await scenario.before();
  const time = await connected(ownerUrl, async (client) => {
    await client.query('CREATE TABLE IF NOT EXISTS drill_marks (name text PRIMARY KEY)');
    await client.query("INSERT INTO drill_marks VALUES ('just before')");
    const { rows: found } = await client.query<{ at: string }>('SELECT clock_timestamp()::text AS at');
    await client.query("INSERT INTO drill_marks VALUES ('just after')");
    return found[0]?.at ?? '';
  });
  await scenario.after();
  await postgres.archive();
  return time;
}

async function checkMarks(url: string): Promise<void> {
  const marks = await rows<{ name: string }>(url, 'SELECT name FROM drill_marks');
  if (marks.length !== 1 || marks[0]?.name !== 'just before')
    throw new Error(`the restored marks are ${JSON.stringify(marks)}`);
}

type Runbook = {
  service: ServiceName;
  suite: Suite;
  postgres: ArchivingPostgres;
  time: string;
  say: (text: string) => void;
};

/** Follows the steps of docs/runbooks/restore.md in order. */
async function followRunbook({ service, suite, postgres, time, say }: Runbook): Promise<Figures> {
  const steps: Record<string, number> = {};
  const began = performance.now();
  async function step(name: string, work: () => Promise<unknown>): Promise<void> {
    const from = performance.now();
    await work();
    steps[name] = (performance.now() - from) / 1000;
    say(`${name}: ${steps[name].toFixed(1)} s`);
  }
  const urls = urlsOf({ databaseUrl: suite.databaseUrl });
  await step('stop the service', async () => await suite.process(service).stop());
  await step('restore to the time', async () => await postgres.restore(time));
  await step('check the data', async () => {
    await proveCheck(postgres.url);
    const url = new URL(postgres.url);
    url.pathname = `/taskwire_${service}`;
    const faults = await dataFaults(url.href);
    if (faults.length > 0) throw new Error(`the restored data is damaged: ${faults.join('; ')}`);
  });
  if (service !== 'tasks') await expectRefusal(suite, service);
  await step('make the suite consistent', async () => say(await runTool('cli/main.ts', ['restored', service], suite)));
  await step('start the service', async () => await suite.process(service).start());
  await step('wait for drift 0', async () => {
    await untilNone(async () => await directoryDrift(urls), 'drift of the directories');
    await untilNone(async () => await cacheDrift(urls), 'drift of the task cache');
  });
  await step('run the main flow', async () => await runTool('demo/smoke.ts', ['--url', suite.url], suite));
  return { steps, seconds: (performance.now() - began) / 1000 };
}

/** Auth and Notifications must not run before the command: Auth would grant revoked rights again, and Notifications would send mails twice. */
async function expectRefusal(suite: Suite, service: ServiceName): Promise<void> {
  const started = await suite
    .process(service)
    .start()
    .then(
      () => 'it started',
      (error: unknown) => String(error),
    );
  if (!started.includes('was restored to a time'))
    throw new Error(`${service} was started before the command, and did not refuse: ${started}`);
}

async function runTool(program: string, args: string[], suite: Suite): Promise<string> {
  const env = {
    ...suite.envOf('auth'),
    TASKS_DATABASE_URL: suite.databaseUrl('tasks'),
    NOTIFICATIONS_DATABASE_URL: suite.databaseUrl('notifications'),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [join(tools, program), ...args], {
    env,
    timeout: limitSeconds * 1000,
  });
  return stdout.trim();
}

function urlsOf({ databaseUrl: of }: Pick<Stage, 'databaseUrl'>) {
  return { auth: of('auth'), tasks: of('tasks'), notifications: of('notifications') };
}

async function untilNone(find: () => Promise<string[]>, what: string): Promise<void> {
  let last: string[] = [];
  await until(async () => (last = await find()).length === 0, driftTimeoutMs, `no ${what}`).catch((cause: unknown) => {
    throw new Error(`${what}: ${last.slice(0, 5).join('; ') || String(cause)}`, { cause });
  });
}

const kindOf: Record<ServiceName, Acknowledged['kind']> = { auth: 'user', tasks: 'task', notifications: 'read' };
const findOf: Record<ServiceName, string> = {
  auth: 'SELECT id FROM users WHERE id = ANY ($1::uuid[])',
  tasks: 'SELECT id FROM tasks WHERE id = ANY ($1::uuid[])',
  notifications:
    'SELECT id FROM notifications WHERE id = ANY ($1::uuid[]) AND read_at < (SELECT raised_at FROM source_epoch)',
};

/**
 * Checks that every write acknowledged up to the restored time exists, and that no write sent in the lost period (from that time to the loss) does.
 * The exception is lost users, whom the command creates again from the copies.
 */
async function checkAcknowledged(
  service: ServiceName,
  all: readonly Acknowledged[],
  period: { from: number; until: number },
  stage: Stage,
): Promise<void> {
  const own = all.filter(({ kind }) => kind === kindOf[service]);
  const ids = own.map(({ id }) => id);
  const found = new Set(
    (await rows<{ id: string }>(stage.databaseUrl(service), findOf[service], [ids])).map(({ id }) => id),
  );
  const kept = own.filter(({ answeredAt }) => answeredAt < period.from);
  const lost = kept.filter(({ id }) => !found.has(id));
  if (kept.length === 0) throw new Error('nothing was acknowledged before the restored time; the drill proves nothing');
  if (lost.length > 0)
    throw new Error(`${lost.length} of ${kept.length} writes acknowledged before the restored time are lost`);
  const lostPeriod = own.filter(({ sentAt, answeredAt }) => sentAt > period.from && answeredAt < period.until);
  if (lostPeriod.length === 0)
    throw new Error('nothing was acknowledged after the restored time; the drill proves nothing');
  const returned = lostPeriod.filter(({ id }) => found.has(id));
  if (service !== 'auth' && returned.length > 0)
    throw new Error(`${returned.length} writes of the lost period exist; the restore went past its time`);
}
