import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { idsOf, testEvent, testHandler, useInboxHarness, waitFor } from '@taskwire/testing';

describe('inbox of processes that are killed by a message', () => {
  const children: ChildProcess[] = [];
  // before the harness drops their database
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  const harness = useInboxHarness();

  it('dead-letters that message, and loses no other', async function () {
    this.timeout(60_000);
    const script = fileURLToPath(new URL('crashing-process.ts', import.meta.url));
    const killer = testEvent({ aggregateId: 'killer' });
    let crashes = 0;
    let stopped = false;
    const run = (): void => {
      if (stopped) return;
      const args = [script, harness.database.url, harness.broker.url('notifications'), killer.messageId];
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      children.push(child);
      child.once('exit', () => {
        crashes += 1;
        run();
      });
    };
    const others = Array.from({ length: 30 }, (_, i) => testEvent({ aggregateId: `a${i}` }));
    // the queue must exist before anything is published
    const declaring = await harness.start([testHandler()]);
    await harness.consuming();
    await declaring.stop();
    await harness.publish(...others.slice(0, 15), killer, ...others.slice(15));
    run();
    await waitFor(async () => (await harness.rows('dead_letters')).length === 1, { timeoutMs: 50_000 });
    await waitFor(async () => (await harness.effects()).length === others.length, { timeoutMs: 10_000 });
    stopped = true;
    expect(new Set(await harness.effects())).to.deep.equal(new Set(idsOf(others)));
    const [letter] = await harness.rows('dead_letters');
    expect(letter).to.deep.include({ message_id: killer.messageId, reason: 'crashed' });
    expect(crashes).to.be.greaterThan(2);
  });
});
