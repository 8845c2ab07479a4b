import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { disposableSettings, freePorts } from '@taskwire/process-supervisor';
import { startReceiver, type Receiver } from '@taskwire/testing';
import { demoPeople } from '../infra/local/people.ts';
import { freeSuitePorts } from '../infra/local/ports.ts';
import { newSecrets } from '../infra/local/secrets.ts';
import { startSuite, type Suite, type SuiteOptions } from '../infra/local/suite.ts';

let started: Promise<Suite> | undefined;
let receiver: Receiver | undefined;

/** The name of the folder of the suite that all tests share. */
const sharedName = 'suite';

/** Each service sends at most one request a second, so these are the spans of a minute. */
const keptRequests = 200;

/** The receiver of the suite's traces. It keeps the latest ones. */
export function traceReceiver(): Receiver {
  if (receiver === undefined) throw new Error('the suite has not started yet');
  return receiver;
}

// enough to start servers from scratch and three services on two busy cores
const startTimeoutMs = 180_000;

/** The suite shared by all end-to-end tests, for the tests of the enclosing `describe`. */
export function useSuite(): () => Suite {
  let suite: Suite | undefined;
  before(async () => {
    suite = await sharedSuite();
  });
  return () => {
    if (suite === undefined) throw new Error('the suite has not started yet');
    return suite;
  };
}

/**
 * The suite of the end-to-end tests: every process on free ports, with the demo users, shared by all test files. A process that ends stays down until
 * a test restarts it with `suite.process(name).start()`. A test must leave all of them running.
 */
function sharedSuite(): Promise<Suite> {
  return (started ??= start());
}

async function start(): Promise<Suite> {
  receiver = await startReceiver({ keep: keptRequests });
  const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
  return await startNewSuite(sharedName, {
    logLevel: 'debug',
    env: { auth: traces, tasks: traces, notifications: traces },
    // a test's front end listens on these
    corsOrigins: (await freePorts(1)).map((port) => `http://localhost:${port}`),
    // all tests come from one address; the limits have separate tests
    gateway: { requestsPerSecond: 1000, burst: 1000, loginsPerMinute: 6000, loginBurst: 1000 },
  });
}

/** Starts a suite with nothing in it but the demo users, as `npm start` does for a newcomer. The caller stops it. `name`: of its folder. */
export async function startNewSuite(name: string, options: Partial<SuiteOptions> = {}): Promise<Suite> {
  const dir = folderOf(name);
  mkdirSync(dir, { recursive: true });
  return await startSuite({
    dir,
    ports: await freeSuitePorts(),
    secrets: newSecrets(),
    restarts: 'manual',
    people: demoPeople,
    postgresSettings: disposableSettings,
    ...options,
  });
}

function folderOf(name: string): string {
  const base = process.env.TASKWIRE_TEST_DIR;
  if (base === undefined)
    throw new Error('TASKWIRE_TEST_DIR is not set. Run the test with: npm test -- <path of the test file>');
  return join(base, name);
}

/** mocha runs these because tools/test/stages.ts requires this file. */
export const mochaHooks = {
  async beforeAll(this: Mocha.Context) {
    this.timeout(startTimeoutMs);
    await sharedSuite();
  },
  async afterAll(this: Mocha.Context) {
    this.timeout(20_000);
    const suite = await started;
    await suite?.stop();
    await receiver?.stop();
    // another stage may start a suite of the same name, which has other passwords
    if (suite !== undefined)
      rmSync(folderOf(sharedName), { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
  },
};
