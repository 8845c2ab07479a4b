import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { insertEvents } from '@taskwire/outbox';
import { waitFor } from '@taskwire/testing';
import { anEvent, createBench, type Bench } from './bench.ts';
import { createBrokerBench, networkTo, through } from './broker-bench.ts';
import { fakePublisher } from './fake-publisher.ts';

const failoverMs = 5_000;

describe('relays of one outbox whose leader is lost', () => {
  let bench: Bench;
  const children: ChildProcess[] = [];
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await bench.drop();
  });

  it('fail over within 5 s when the network to the leader is cut without notice', async () => {
    const network = await networkTo(bench.database.url);
    const [first, second] = [fakePublisher(() => 'confirmed'), fakePublisher(() => 'confirmed')];
    const leader = bench.relay(first, {}, through(network, bench.database.url));
    const standby = bench.relay(second);
    await leader.start();
    await waitFor(() => leader.isLeader());
    await standby.start();
    await insertEvents(bench.database.db.pool, [anEvent(1)]);
    await waitFor(() => first.taken.length === 1);
    network.set({ kind: 'half_open' });
    const cutAt = performance.now();
    await insertEvents(bench.database.db.pool, [anEvent(2)]);
    await waitFor(() => second.taken.length > 0, { timeoutMs: 15_000 });
    expect(performance.now() - cutAt).to.be.lessThan(failoverMs);
    network.heal();
    await leader.stop();
    await network.stop();
  });

  it('fail over within 5 s when the leader is killed, and lose, duplicate or reorder no event', async () => {
    const around = await createBrokerBench(bench);
    const startProcess = (): ChildProcess => {
      const script = fileURLToPath(new URL('relay-process.ts', import.meta.url));
      const args = [script, bench.database.url, around.broker.url('tasks')];
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      children.push(child);
      return child;
    };
    const first = startProcess();
    await around.append(0, 20);
    await waitFor(() => around.received.length > 0, { timeoutMs: 15_000 });
    startProcess();
    await around.append(20, 40);
    first.kill('SIGKILL');
    const killedAt = performance.now();
    const before = around.received.length;
    await around.append(40, 60);
    await waitFor(() => around.received.length > before, { timeoutMs: 15_000 });
    expect(performance.now() - killedAt).to.be.lessThan(failoverMs);
    await around.expectAll(60);
    for (const child of children) child.kill('SIGKILL');
    await around.drop();
  });
});
