// npm run fuzz -- --requests <n> --seed <s>
//
// Starts a separate suite, and sends it random sequences of valid and invalid requests, derived from the contracts. Exits with 1 for a response that
// violates its contract, after shrinking the sequence and printing it as curl commands.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { disposableFolder, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { demoPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import { logIn, serviceActors } from './actors.ts';
import { watchCauses } from './causes.ts';
import { allOperations, type Server } from './operations.ts';
import { curlOf, play, sequences, type Actors, type Exchange } from './sequence.ts';

/** Limits have separate tests; here, they would cause most responses. */
const unlimited = '1000000';
/** A request that takes longer is itself a fault. */
const requestTimeoutMs = 30_000;
/** The maximum number of requests for shrinking a failed sequence; a few dozen are usually enough. */
const shrinkingRequests = 500;
/** After so many requests, the rarest operation has been sent about ten times. */
const enoughRequests = 4_000;
/** The relay publishes within milliseconds; this is enough time even on a loaded machine. */
const settlingMs = 3_000;
/** Access tokens are valid for ten minutes, and some operations need a log-in within the last five. */
const logInEveryMs = 4 * 60_000;

const { values } = parseArgs({ options: { requests: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
const requests = Number(values.requests);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isSafeInteger(requests) || requests < 1 || !Number.isSafeInteger(seed))
  throw new Error('usage: npm run fuzz -- --requests <n> --seed <s>');

const dir = disposableFolder('taskwire-fuzz-');
reapFolderIfOrphaned(dir);
const stopping = new AbortController();
onStopSignal(() => stopping.abort());
console.log(`seed ${seed}, ${requests} requests`);
try {
  const suite = await startSuite({
    dir,
    ports: await freeSuitePorts(),
    secrets: newSecrets(),
    restarts: 'manual',
    people: demoPeople,
    signal: stopping.signal,
    env: {
      tasks: { TASK_CREATIONS_PER_MINUTE: unlimited, SHUFFLES_PER_MINUTE: unlimited, COMMENTS_PER_MINUTE: unlimited },
      notifications: Object.fromEntries(
        ['MAILS_PER_RECIPIENT', 'ACCOUNT_MAILS_PER_RECIPIENT', 'MAILS_PER_CALLER'].map((name) => [name, unlimited]),
      ),
    },
    gateway: { requestsPerSecond: 20_000, burst: 20_000, loginsPerMinute: 6_000, loginBurst: 1_000 },
  });
  try {
    await fuzz(suite);
  } finally {
    await suite.stop();
  }
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
  releaseFolder(dir);
}

async function fuzz(suite: Suite): Promise<void> {
  const causes = await watchCauses(suite.amqpUrl('operator'));
  const operations = allOperations(new URL('../../contracts/', import.meta.url));
  const originOf = (server: Server) => (server === 'gateway' ? suite.url : suite.serviceUrl(server));
  const names = { people: demoPeople.map(({ email }) => email), services: serviceActors, stranger: 'stranger' };
  const refused = new Map<string, Exchange>();
  const counts = new Map<number, number>();
  const [tried, succeeded] = [new Set<string>(), new Set<string>()];
  let [sent, loggedInAt, most] = [0, Number.NEGATIVE_INFINITY, requests];
  let actors: Actors = {};
  let [last, failed]: [Exchange[], Exchange[]] = [[], []];

  const result = await fc.check(
    fc.asyncProperty(sequences(operations, names), async (planned) => {
      if (stopping.signal.aborted || sent >= most) return;
      if (performance.now() - loggedInAt > logInEveryMs) [actors, loggedInAt] = [await logIn(suite), performance.now()];
      last = [];
      const faults = await play(
        {
          actors,
          async send({ server, method, url, headers, body }) {
            const response = await fetch(`${originOf(server)}${url}`, {
              method,
              headers,
              body: body ?? null,
              signal: AbortSignal.timeout(requestTimeoutMs),
            });
            return { status: response.status, headers: response.headers, text: await response.text() };
          },
          sent(exchange) {
            const { status, headers } = exchange.response;
            tried.add(exchange.operationId);
            if (status < 300) succeeded.add(exchange.operationId);
            sent += 1;
            last.push(exchange);
            counts.set(status, (counts.get(status) ?? 0) + 1);
            if (status >= 400) refused.set(headers.get('x-request-id') ?? '', exchange);
          },
        },
        planned,
      );
      if (faults.length === 0) return;
      if (most === requests) most = sent + shrinkingRequests;
      failed = last;
      throw new Error(faults.join('\n'));
    }),
    { seed, numRuns: requests, endOnFailure: false },
  );

  await delay(settlingMs);
  const effects = [...refused].filter(([id]) => causes.seen.has(id));
  await causes.close();
  console.log(
    `${sent} requests: ${[...counts]
      .toSorted(([a], [b]) => a - b)
      .map(([status, count]) => `${count} × ${status}`)
      .join(', ')}`,
  );
  console.log(
    `${refused.size} refused requests, ${effects.length} of them with an event; ${causes.seen.size} requests caused events`,
  );
  if (result.failed) {
    console.error(`${errorText(result.errorInstance)}\nafter ${result.numShrinks} shrinks:`);
    for (const exchange of failed) console.error(curlOf(exchange, originOf(exchange.server)));
  }
  for (const [id, exchange] of effects)
    console.error(`request ${id} was refused, but published an event:\n${curlOf(exchange, originOf(exchange.server))}`);
  if (result.failed || effects.length > 0) process.exitCode = 1;
  const without = operations.map(({ id }) => id).filter((id) => !succeeded.has(id));
  console.log(`${tried.size} of ${operations.length} operations were sent; without a success: ${without.join(', ')}`);
  if (tried.size < operations.length && sent >= enoughRequests && !result.failed)
    throw new Error(`never sent: ${without.filter((id) => !tried.has(id)).join(', ')}`);
  if (causes.seen.size === 0)
    throw new Error('no request caused an event, so the check of refused requests means nothing');
}
