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

describe('inbox during faults', () => {
  const harness = useInboxHarness();

  it('stores a message and its failure whatever they contain, at the first delivery', async () => {
    const nul = { body: Buffer.from('\0'), correlationId: 'a\0b', headers: { aggregate_id: 'x\0', other: '\0' } };
    const reasons: Record<string, Outcome> = {
      nul: dead('a\0b'),
      // the length limit of a reason splits the character
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
      // the parser's error message contains half of the character
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

  describe('while the database is unavailable', () => {
    it('keeps its messages, resumes where it stopped, and uses up no attempt or delivery', async () => {
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

    it('records a failure caused by the outage once the database is back', async () => {
      let isUnavailable = false;
      const decide = (context: HandlerContext) => {
        if (isUnavailable) return recordEffect(context);
        isUnavailable = true;
        harness.network.set({ kind: 'cut' });
        return retry('the database cannot be asked');
      };
      await harness.start([testHandler({ decide })], { limits: retryAtOnce });
      const [event] = testEvents(1);
      if (event === undefined) return;
      await harness.publish(event);
      await waitFor(() => isUnavailable);
      harness.network.heal();
      await waitFor(async () => (await harness.effects()).length === 1);
    });

    it('uses up no attempt of a retried message, and counts no crash', async () => {
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

    it('leaves its messages to another process when it stops during the outage', async () => {
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

  it('treats a commit whose response was lost as done', async () => {
    let cut = false;
    const decide = (context: HandlerContext) => recordEffect(context);
    await harness.start([testHandler({ decide })], { limits: neverRetry });
    // the server commits, but its response is lost
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
      const committing = `SELECT FROM pg_stat_activity WHERE application_name LIKE 'consumer %' AND query ILIKE 'COMMIT%' AND state = 'active'`;
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

  it('lets another process handle the message of one that died, and counts the attempt', async () => {
    const { pool } = harness.database.db;
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await first.stop();
    // the state after a process died during its second attempt
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

  it('leaves the messages of an unknown handler to another build for an hour', async () => {
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

  it('claims one suspect at a time, even when the statistics show a table of one row', async () => {
    const { pool } = harness.database.db;
    // the state after processes have died while handling the messages
    const leave = (count: number) =>
      query(
        pool,
        `INSERT INTO inbox_pending (message_id, handler, type, state, attempts, lease_id, lease_expires_at, next_attempt_at, headers, payload)
         SELECT uuidv7(), 'tasks.#', 'tasks.task.created', 'retry', 1, uuidv7(), now(), now(), '{"schema_version": 1}', '{"n": 1}'
         FROM generate_series(1, $1)`,
        [count],
      );
    await leave(1);
    // PostgreSQL plans differently for a table of one row
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

  it('handles suspects alone, with other messages between them, while the worker is busy', async () => {
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

  it('does not commit the effect of a process whose lease has expired', async () => {
    const { pool } = harness.database.db;
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await first.stop();
    const decide = async (context: HandlerContext) => {
      // another process has claimed it in the meantime
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
});
