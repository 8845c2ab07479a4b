import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { dead, done, retry, type HandlerContext, type Outcome } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import {
  idsOf,
  neverRetry,
  recordEffect,
  retryAtOnce,
  simulateWork,
  testEvent,
  testEvents,
  testHandler,
  useInboxHarness,
  waitFor,
} from '@taskwire/testing';

describe('inbox among faults', () => {
  const children: ChildProcess[] = [];
  // before the harness drops their database
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  const harness = useInboxHarness();

  it('stores whatever a message or a reason contains, at its first delivery', async () => {
    const nul = { body: Buffer.from('\0'), correlationId: 'a\0b', headers: { aggregate_id: 'x\0', other: '\0' } };
    const reasons: Record<string, Outcome> = {
      nul: dead('a\0b'),
      // the limit of a reason cuts the character in two
      half: dead(`${'x'.repeat(1_999)}😀`),
      retry: retry('\0'),
      effect: done(() => Promise.reject(new Error('\0'))),
    };
    const decide = ({ aggregateId }: HandlerContext) => reasons[aggregateId ?? ''] ?? dead('never');
    await harness.start([testHandler({ decide })], { limits: neverRetry });
    // 2,000 characters of three bytes each that do not compress
    const longKey = String.fromCharCode(...Array.from({ length: 2_000 }, () => 0x4e00 + Math.random() * 20_000));
    const events = [
      testEvent(nul),
      // a parser's error shows half of the character
      testEvent({ body: Buffer.from('😀') }),
      testEvent({ aggregateId: longKey }),
      testEvent({ timestamp: 1_763_000_000_000_000 }),
      ...Object.keys(reasons).map((aggregateId) => testEvent({ aggregateId })),
    ];
    await harness.publish(...events);
    await waitFor(async () => (await harness.rows('inbox')).length === events.length);
    const letters = await harness.rows('dead_letters');
    expect(letters.map((letter) => letter['reason'])).to.have.members([
      ...Array(2).fill('not_json'),
      ...Array(4).fill('refused'),
    ]);
    const retries = await harness.rows('inbox_pending');
    expect(retries.map((row) => [row['attempts'], row['last_error']])).to.have.deep.members([
      [1, '\uFFFD'],
      [1, 'Error: \uFFFD'],
    ]);
  });

  describe('while the database is away', () => {
    it('keeps what it has, takes up where it was, and burns none of the attempts or deliveries', async () => {
      let handled = 0;
      const decide = (context: HandlerContext) => {
        handled += 1;
        if (handled === 3) harness.network.set({ kind: 'cut' });
        return recordEffect(context);
      };
      await harness.start([testHandler({ decide })], { limits: neverRetry });
      const events = testEvents(10);
      await harness.publish(...events);
      await waitFor(() => handled >= 3);
      harness.network.heal();
      await harness.accepted(...events);
      expect(await harness.effects()).to.deep.equal(idsOf(events));
      expect(await harness.rows('inbox_pending')).to.deep.equal([]);
      expect(await harness.rows('dead_letters')).to.deep.equal([]);
    });

    it('records a failure that came of that once the database is back', async () => {
      let away = false;
      const decide = (context: HandlerContext) => {
        if (away) return recordEffect(context);
        away = true;
        harness.network.set({ kind: 'cut' });
        return retry('the database cannot be asked');
      };
      await harness.start([testHandler({ decide })], { limits: retryAtOnce });
      const [event] = testEvents(1);
      if (event === undefined) return;
      await harness.publish(event);
      await waitFor(() => away);
      harness.network.heal();
      await waitFor(async () => (await harness.effects()).length === 1);
    });

    it('burns no attempt of a message that is tried again, and takes nothing for a crash', async () => {
      const tries: number[] = [];
      const decide = (context: HandlerContext) => {
        tries.push(context.attempt);
        if (context.attempt === 2) harness.network.set({ kind: 'cut' });
        return context.attempt === 4 ? recordEffect(context) : retry('not yet');
      };
      const inbox = await harness.start([testHandler({ decide })], { limits: retryAtOnce });
      await harness.publish(testEvent());
      await waitFor(() => tries.length === 2);
      harness.network.heal();
      await waitFor(async () => {
        await inbox.tick();
        const [row] = await harness.rows('inbox_pending');
        expect(row?.['crash_count'] ?? 0).to.equal(0);
        return (await harness.effects()).length === 1;
      });
      expect(tries).to.deep.equal([1, 2, 3, 4]);
    });

    it('hands messages to another process when it stops meanwhile', async () => {
      const first = await harness.start([testHandler()]);
      harness.network.set({ kind: 'cut' });
      const events = testEvents(3);
      await harness.publish(...events);
      await first.stop();
      harness.network.heal();
      await harness.start([testHandler()]);
      await harness.accepted(...events);
      expect(await harness.effects()).to.deep.equal(idsOf(events));
    });
  });

  it('takes the effect of a commit whose answer was lost as done', async () => {
    let cut = false;
    const decide = (context: HandlerContext) => recordEffect(context);
    await harness.start([testHandler({ decide })], { limits: neverRetry });
    // the server commits, and the answer gets lost on the way
    await query(
      harness.database.db.pool,
      `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$`,
    );
    await query(
      harness.database.db.pool,
      `CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON effects
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`,
    );
    const event = testEvent();
    await harness.publish(event);
    await waitFor(async () => {
      const committing = `SELECT FROM pg_stat_activity WHERE application_name = 'consumer' AND query ILIKE 'COMMIT%' AND state = 'active'`;
      cut = (await query(harness.database.db.pool, committing)).length > 0;
      return cut;
    });
    harness.network.set({ kind: 'cut' });
    await harness.accepted(event);
    harness.network.heal();
    const last = testEvent();
    await harness.publish(last);
    await harness.accepted(last);
    expect(await harness.effects()).to.deep.equal(idsOf([event, last]));
  });

  it('gives a message to another process when the one that was at it has died, and counts the attempt', async () => {
    const { pool } = harness.database.db;
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await first.stop();
    // as a process leaves it that dies in the middle of its second attempt
    await query(pool, `UPDATE inbox_pending SET lease_id = gen_random_uuid(), lease_expires_at = now(), attempts = 2`);
    const attempts: number[] = [];
    const decide = (context: HandlerContext) => {
      attempts.push(context.attempt);
      return recordEffect(context);
    };
    await harness.start([testHandler({ decide })]);
    await waitFor(async () => (await harness.effects()).length === 1);
    expect(attempts).to.deep.equal([3]);
  });

  it('leaves the messages of a handler that another build knows to that, for an hour', async () => {
    const { pool } = harness.database.db;
    const newer = await harness.start([testHandler({ name: 'newer', decide: () => retry('not now') })], {
      limits: neverRetry,
    });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await newer.stop();
    const older = await harness.start([testHandler({ name: 'older' })], { limits: neverRetry });
    await harness.makeDue();
    await older.tick();
    expect(await harness.rows('dead_letters')).to.deep.equal([]);
    await query(pool, `UPDATE inbox_pending SET next_attempt_at = now() - interval '61 minutes'`);
    await older.tick();
    expect((await harness.rows('dead_letters')).map((letter) => letter['error'])).to.deep.equal([
      'no handler is named newer',
    ]);
  });

  it('takes one suspect at a time, also when the statistics say that there is one message', async () => {
    const { pool } = harness.database.db;
    // as processes leave them that died over them
    const leave = (count: number) =>
      query(
        pool,
        `INSERT INTO inbox_pending (message_id, handler, type, state, attempts, lease_id, lease_expires_at, next_attempt_at, headers, payload)
         SELECT uuidv7(), 'tasks.#', 'tasks.task.created', 'retry', 1, uuidv7(), now(), now(), '{"schema_version": 1}', '{"n": 1}'
         FROM generate_series(1, $1)`,
        [count],
      );
    await leave(1);
    // for a table of one row PostgreSQL likes other plans than for one of many
    await query(pool, 'VACUUM ANALYZE inbox_pending');
    await leave(19);
    let most = 0;
    const decide = async (context: HandlerContext) => {
      const [claimed] = await query<{ count: number }>(
        pool,
        'SELECT count(*)::integer AS count FROM inbox_pending WHERE crash_count > 0',
      );
      most = Math.max(most, claimed?.count ?? 0);
      return recordEffect(context);
    };
    const second = await harness.start([testHandler({ order: 'none', decide })]);
    await second.tick();
    await waitFor(async () => (await harness.effects()).length === 20);
    expect(most).to.equal(1);
  });

  it('handles suspects alone although other messages keep the worker busy, and those between them', async () => {
    const { pool } = harness.database.db;
    const insert = (count: number, lease: string) =>
      query(
        pool,
        `INSERT INTO inbox_pending (
           message_id, handler, type, state, attempts, lease_id, lease_expires_at, next_attempt_at, headers, payload)
         SELECT uuidv7(), 'tasks.#', 'tasks.task.created', 'retry', 1, ${lease}, now(), '{"schema_version": 1}', '{"n": 1}'
         FROM generate_series(1, $1)`,
        [count],
      );
    await insert(60, 'NULL, NULL');
    await insert(4, 'uuidv7(), now()');
    let running = 0;
    const besideSuspects: number[] = [];
    const decide = async (context: HandlerContext) => {
      running += 1;
      const [claimed] = await query<{ crash_count: number }>(
        pool,
        'SELECT crash_count FROM inbox_pending WHERE message_id = $1',
        [context.messageId],
      );
      if (claimed?.crash_count === 1) besideSuspects.push(running);
      await simulateWork(3);
      if (claimed?.crash_count === 1) besideSuspects.push(running);
      running -= 1;
      return recordEffect(context);
    };
    await harness.start([testHandler({ order: 'none', decide })], { limits: { concurrency: 4 } });
    await waitFor(async () => (await harness.effects()).length === 64, { timeoutMs: 15_000 });
    expect(besideSuspects).to.deep.equal(Array(8).fill(1));
  });

  it('does not commit what a process did after its lease had run out', async () => {
    const { pool } = harness.database.db;
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await first.stop();
    const decide = async (context: HandlerContext) => {
      // meanwhile another process has taken it over
      await query(
        pool,
        `UPDATE inbox_pending SET lease_id = gen_random_uuid(), lease_expires_at = now() + interval '1 hour'`,
      );
      return recordEffect(context);
    };
    const second = await harness.start([testHandler({ decide })], { limits: neverRetry });
    await harness.makeDue();
    await second.tick();
    expect(await harness.effects()).to.deep.equal([]);
    expect(await harness.rows('inbox_pending')).to.have.length(1);
  });

  it('makes a message that kills every process that handles it a dead letter, and loses no other', async function () {
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
    // the queue must be there before anything is published
    const declaring = await harness.start([testHandler()]);
    await waitFor(() => harness.isConsuming());
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
