import { expect } from 'chai';
import { dead, done, retry, type HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { logContext, traceId } from '@taskwire/telemetry';
import { waitFor } from '@taskwire/testing';
import {
  aHandler,
  anEvent,
  atOnce,
  createBench,
  never,
  noteEffect,
  someEvents,
  type Bench,
  keptHeaders,
} from './bench.ts';

describe('inbox', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('runs the effect of a message once, however often the message comes', async () => {
    await bench.start([aHandler()]);
    const [event, last] = [anEvent(), anEvent()];
    await bench.publish(event, event, event, last);
    await bench.taken(last);
    expect(await bench.effects()).to.deep.equal([event.messageId, last.messageId]);
  });

  it('runs it once for each handler that wants the message, and one that must wait keeps no other waiting', async () => {
    const welcome = aHandler({ type: 'auth.user.created', name: 'welcome', decide: () => retry('Auth is away') });
    await bench.start([aHandler({ type: 'auth.user.*' }), welcome], { limits: never });
    const event = anEvent({ routingKey: 'auth.user.created' });
    const next = anEvent({ routingKey: 'auth.user.changed' });
    await bench.publish(event, next);
    await bench.taken(event, next);
    expect(await bench.effects()).to.deep.equal([event.messageId, next.messageId]);
    const retries = await bench.rows('inbox_retries');
    expect(retries.map((row) => row['handler'])).to.deep.equal(['welcome']);
  });

  it('commits effect and memory together, so that a failing effect leaves neither', async () => {
    let failures = 2;
    const decide = (context: HandlerContext) =>
      done(async (tx) => {
        const { effect } = noteEffect(context) as { effect: (on: typeof tx) => Promise<void> };
        await effect(tx);
        if (failures-- > 0) throw new Error('not yet');
      });
    await bench.start([aHandler({ decide })], { limits: atOnce });
    const event = anEvent();
    await bench.publish(event);
    await waitFor(async () => (await bench.effects()).length === 1);
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('does not let the failing effect of one message undo those that were committed with it', async () => {
    const events = Array.from({ length: 100 }, (_, i) => anEvent({ aggregateId: `a${i}` }));
    const broken = new Set(events.filter((_, i) => i % 10 === 0).map((event) => event.messageId));
    const decide = (context: HandlerContext) =>
      broken.has(context.messageId) ? done(async (tx) => void (await query(tx, 'SELECT 1 / 0'))) : noteEffect(context);
    await bench.publish(...events);
    await bench.start([aHandler({ decide })], { limits: never });
    await bench.taken(...events);
    expect(await bench.effects()).to.have.length(90);
    const failed = await bench.rows('inbox_retries');
    expect(new Set(failed.map((row) => row['message_id']))).to.deep.equal(broken);
    expect(failed[0]?.['last_error']).to.include('division by zero');
  });

  it('records what is to be tried again, and what failed for good, with all that came with it', async () => {
    const outcomes = [retry('not now'), dead('never')];
    await bench.start([aHandler({ order: 'none', decide: () => outcomes.shift() ?? done() })], {
      limits: { ...never, concurrency: 1 },
    });
    const first = anEvent({ correlationId: 'request-1', headers: { traceparent: '00-x' } });
    const second = anEvent();
    await bench.publish(first, second);
    await bench.taken(first, second);
    const [retried] = await bench.rows('inbox_retries');
    expect(retried).to.deep.include({
      message_id: first.messageId,
      type: first.routingKey,
      state: 'retry',
      attempts: 1,
      last_error: 'not now',
      aggregate_id: 'a',
      correlation_id: 'request-1',
      app_id: 'tasks',
      sent_at: new Date(first.timestamp * 1000),
      headers: keptHeaders(first),
      payload: first.body,
    });
    const [buried] = await bench.rows('dead_letters');
    expect(buried).to.deep.include({
      message_id: second.messageId,
      handler: 'tasks.#',
      reason: 'refused',
      error: 'never',
      attempts: 1,
      state: 'dead',
      payload: second.body,
    });
    expect(buried?.['errors']).to.have.length(1);
  });

  it('takes an error that a handler throws, or its silence, as a retry', async () => {
    const decide = (context: HandlerContext) => {
      if (context.aggregateId === 'throws') throw new Error('out of order');
      return new Promise<never>(() => undefined);
    };
    const atOnceThrowing = () => {
      throw new Error('no promise');
    };
    const handlers = [aHandler({ decide }), { ...aHandler({ name: 'throws at once' }), handle: atOnceThrowing }];
    await bench.start(handlers, { limits: { ...never, handleTimeoutMs: 50 } });
    const events = [anEvent({ aggregateId: 'throws' }), anEvent({ aggregateId: 'silent' })];
    await bench.publish(...events);
    await bench.taken(...events);
    const retries = await waitFor(async () => {
      const rows = await bench.rows('inbox_retries');
      return rows.length === 4 && rows;
    });
    expect(retries.map((row) => [row['attempts'], row['last_error']])).to.have.deep.members([
      [1, 'Error: out of order'],
      [1, 'not decided within 50 ms'],
      [1, 'Error: no promise'],
      [1, 'Error: no promise'],
    ]);
  });

  it('tries recorded messages although new ones take up all the places', async () => {
    const hang = Promise.withResolvers<void>();
    let hanging = 0;
    const decide = async (context: HandlerContext) => {
      if (context.attempt === 2) return noteEffect(context);
      if (context.aggregateId === 'fails') return retry('not now');
      hanging += 1;
      await hang.promise;
      return noteEffect(context);
    };
    const inbox = await bench.start([aHandler({ decide })], { limits: { ...never, concurrency: 1 } });
    const [failed, hung] = [anEvent({ aggregateId: 'fails' }), anEvent({ aggregateId: 'hangs' })];
    await bench.publish(failed);
    await bench.taken(failed);
    await bench.publish(hung);
    await waitFor(() => hanging === 1);
    await bench.makeDue();
    // its lease would run out in the line behind the other
    await inbox.tick();
    expect(await bench.effects()).to.deep.equal([failed.messageId]);
    hang.resolve();
    await bench.taken(hung);
  });

  it('tries recorded messages although the handler of another takes long', async () => {
    const hang = Promise.withResolvers<void>();
    let hanging = 0;
    const decide = async (context: HandlerContext) => {
      if (context.attempt === 1) return retry('not now');
      if (context.aggregateId === 'hangs') {
        hanging += 1;
        await hang.promise;
      }
      return noteEffect(context);
    };
    await bench.start([aHandler({ decide })], { limits: never });
    const [hung, other] = [anEvent({ aggregateId: 'hangs' }), anEvent({ aggregateId: 'other' })];
    await bench.publish(hung);
    await bench.taken(hung);
    await bench.makeDue();
    await waitFor(() => hanging === 1);
    await bench.publish(other);
    await bench.taken(other);
    await bench.makeDue();
    await waitFor(async () => (await bench.effects()).length === 1);
    expect(hanging).to.equal(1);
    hang.resolve();
    await waitFor(async () => (await bench.effects()).length === 2);
  });

  it('gives up after the last attempt, and keeps the history of errors', async () => {
    const seen: number[] = [];
    const decide = ({ attempt }: HandlerContext) => {
      seen.push(attempt);
      return retry(`attempt ${attempt}`);
    };
    await bench.start([aHandler({ decide })], { limits: { ...atOnce, maxAttempts: 4 } });
    await bench.publish(anEvent());
    await waitFor(async () => (await bench.rows('dead_letters')).length === 1);
    const [buried] = await bench.rows('dead_letters');
    expect(seen).to.deep.equal([1, 2, 3, 4]);
    expect(buried).to.include({ reason: 'attempts_exhausted', error: 'attempt 4', attempts: 4 });
    const history = buried?.['errors'] as { attempt: number; error: string }[];
    expect(history.map(({ attempt, error }) => [attempt, error])).to.deep.equal(
      [1, 2, 3, 4].map((n) => [n, `attempt ${n}`]),
    );
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('waits as long as a handler asks for', async () => {
    await bench.start([aHandler({ decide: () => retry('Retry-After', 60_000) })], { limits: atOnce });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    const [row] = await bench.rows('inbox_retries');
    expect(Number(row?.['next_attempt_at']) - Date.now()).to.be.within(50_000, 60_000);
  });

  it('tries nothing again while what handlers call is known to be away', async () => {
    let away = true;
    let attempts = 0;
    const decide = (context: HandlerContext) => (++attempts === 1 ? retry('away') : noteEffect(context));
    const inbox = await bench.start([aHandler({ decide })], { limits: never, claimWhile: () => !away });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    await bench.makeDue();
    await inbox.tick();
    expect(attempts).to.equal(1);
    away = false;
    await inbox.tick();
    expect(await bench.effects()).to.deep.equal([event.messageId]);
  });

  it('tries again after a restart what was recorded before it', async () => {
    const first = await bench.start([aHandler({ decide: () => retry('not now') })], { limits: never });
    const event = anEvent();
    await bench.publish(event);
    await bench.taken(event);
    await first.stop();
    await bench.makeDue();
    await bench.start([aHandler()]);
    await waitFor(async () => (await bench.effects()).length === 1);
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('runs a handler and its effect in the trace and for the request that caused the event', async () => {
    const seen: unknown[] = [];
    const note = (): void => void seen.push([logContext().request_id, traceId()]);
    const decide = () => {
      note();
      return done(async () => note());
    };
    await bench.start([aHandler({ decide })]);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    const event = anEvent({ correlationId: 'request-1', headers });
    await bench.publish(event);
    await bench.taken(event);
    expect(seen).to.deep.equal([
      ['request-1', trace],
      ['request-1', trace],
    ]);
  });

  it('forgets messages by age, and only those', async () => {
    await bench.start([aHandler()]);
    const events = someEvents(3);
    await bench.publish(...events);
    await bench.taken(...events);
    const { pool } = bench.database.db;
    const old = '01900000-0000-7000-8000-000000000000';
    // made long ago but received just now, and the reverse: both may still come again
    await query(pool, `INSERT INTO inbox VALUES ($1, 'received now', now())`, [old]);
    await query(pool, `INSERT INTO inbox VALUES ($1, 'old', now() - interval '8 days')`, [old]);
    await query(pool, `UPDATE inbox SET received_at = now() - interval '8 days' WHERE message_id = $1`, [
      events[0]?.messageId,
    ]);
    await bench.start([aHandler()]);
    await waitFor(async () => (await bench.rows('inbox')).length === 4);
    const left = (await bench.rows('inbox')).map((row) => row['handler']);
    expect(left).to.have.members(['received now', 'tasks.#', 'tasks.#', 'tasks.#']);
  });
});
