import * as client from '@taskwire/client';
import { expect } from 'chai';
import { demoPeople } from '../infra/local/people.ts';
import { callThroughFaults, generator } from './client-proof.ts';
import { storedTasks } from './client-runtimes.ts';
import { startDroppingProxy, type DroppingProxy } from './dropping-proxy.ts';
import { useSuite } from './suite.ts';

const { ConflictError, ConnectionError, passwordSession, ProblemError, Taskwire } = client;

/** The number of calls in a run. Each worker makes one call at a time. */
const calls = 10_000;
/** Few enough for the client's budget of retries: each worker may use two retries at once. */
const workers = 40;
/** The share of responses that are lost. */
const probability = 0.35;

describe('The client behind a proxy that loses responses', () => {
  const suite = useSuite();
  /** TASKWIRE_TEST_SEED chooses other faults. */
  const seed = Number(process.env['TASKWIRE_TEST_SEED'] ?? 1);
  const accounts = demoPeople.map(({ email, password }) => ({ email, password }));

  async function connect(mostInARow: number): Promise<{ proxy: DroppingProxy; tw: client.Taskwire }> {
    const proxy = await startDroppingProxy({ target: suite().url, probability: 1, mostInARow, random: Math.random });
    const auth = passwordSession();
    const tw = new Taskwire({ baseUrl: proxy.url, auth });
    await auth.login(accounts[0]?.email ?? '', accounts[0]?.password ?? '');
    return { proxy, tw };
  }

  it(`makes ${calls} calls without a doubled change, a false error or a false success (seed ${seed})`, async function () {
    this.timeout(600_000);
    const proxy = await startDroppingProxy({
      ...{ target: suite().url, probability, mostInARow: 2, random: generator(seed) },
    });
    const prefix = `lost-${seed}-${Date.now()} `;
    const began = performance.now();
    const options = { url: proxy.url, accounts, prefix, calls, workers, seed: seed + 1_000_000 };
    const { known, errors } = await callThroughFaults(client, options);
    await proxy.close();
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(
      `      seed ${seed}: ${calls} calls, ${proxy.forwarded()} answers, ${proxy.dropped()} dropped, ${seconds} s`,
    );
    expect(errors.length, `false errors, the first of them:\n${errors.slice(0, 10).join('\n')}`).to.equal(0);
    expect(await storedTasks(suite(), prefix), 'doubled changes and false successes').to.deep.equal(known);
    expect(proxy.dropped(), 'the faults happened').to.be.above(calls / 4);
  });

  it('says that the outcome is unknown when more responses in a row are lost', async function () {
    this.timeout(120_000);
    const { proxy, tw } = await connect(1);
    const task = await tw.tasks.create({ title: 'Lost for good' });
    await proxy.close();
    const lost = await connect(Infinity);
    const failures = await Promise.all([
      lost.tw.tasks.create({ title: 'Lost' }).catch((error: unknown) => error),
      lost.tw.tasks.change(task.id, { title: 'Lost' }, { ifMatch: task.version }).catch((error: unknown) => error),
      lost.tw.tasks.delete(task.id, { ifMatch: task.version }).catch((error: unknown) => error),
    ]);
    await lost.proxy.close();
    for (const failure of failures) {
      expect([ConnectionError, ConflictError, ProblemError].some((kind) => failure instanceof kind)).to.equal(true);
      expect(failure).to.include({ outcome: 'unknown' });
    }
  });
});
