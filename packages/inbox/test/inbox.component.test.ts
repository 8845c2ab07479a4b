import { expect } from 'chai';
import { dead, done, retry, type HandlerContext } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { logContext, traceId } from '@taskwire/telemetry';
import {
  neverRetry,
  recordEffect,
  retryAtOnce,
  storedHeaders,
  testEvent,
  testEvents,
  testHandler,
  useInboxHarness,
  waitFor,
} from '@taskwire/testing';

describe('inbox', () => {
  const harness = useInboxHarness();

  it('applies the effect of a message once, however often the message is delivered', async () => {
    await harness.start([testHandler()]);
    const [event, last] = [testEvent(), testEvent()];
    await harness.publish(event, event, event, last);
    await harness.accepted(last);
    expect(await harness.effects()).to.deep.equal([event.messageId, last.messageId]);
  });

  it('applies the effect of each handler of a message once, and a retrying handler delays no other handler', async () => {
    const welcome = testHandler({
      type: 'auth.user.created',
      name: 'welcome',
      decide: () => retry('Auth is unavailable'),
    });
    await harness.start([testHandler({ type: 'auth.user.*' }), welcome], { limits: neverRetry });
    const event = testEvent({ routingKey: 'auth.user.created' });
    const next = testEvent({ routingKey: 'auth.user.changed' });
    await harness.publish(event, next);
    await harness.accepted(event, next);
    expect(await harness.effects()).to.deep.equal([event.messageId, next.messageId]);
    const retries = await harness.rows('inbox_pending');
    expect(retries.map((row) => row['handler'])).to.deep.equal(['welcome']);
  });

  it('commits the effect and the deduplication row together, so that a failing effect leaves neither', async () => {
    let failures = 2;
    const decide = (context: HandlerContext) =>
      done(async (tx) => {
        const { effect } = recordEffect(context) as { effect: (on: typeof tx) => Promise<void> };
        await effect(tx);
        if (failures-- > 0) throw new Error('not yet');
      });
    await harness.start([testHandler({ decide })], { limits: retryAtOnce });
    const event = testEvent();
    await harness.publish(event);
    await waitFor(async () => (await harness.effects()).length === 1);
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('keeps the effects that share a transaction with a failing one', async () => {
    const events = Array.from({ length: 100 }, (_, i) => testEvent({ aggregateId: `a${i}` }));
    const broken = new Set(events.filter((_, i) => i % 10 === 0).map((event) => event.messageId));
    const decide = (context: HandlerContext) =>
      broken.has(context.messageId)
        ? done(async (tx) => void (await query(tx, 'SELECT 1 / 0')))
        : recordEffect(context);
    await harness.publish(...events);
    await harness.start([testHandler({ decide })], { limits: neverRetry });
    await harness.accepted(...events);
    expect(await harness.effects()).to.have.length(90);
    const failed = await harness.rows('inbox_pending');
    expect(new Set(failed.map((row) => row['message_id']))).to.deep.equal(broken);
    expect(failed[0]?.['last_error']).to.include('division by zero');
  });

  it('records retries and dead letters with every property of the message', async () => {
    const outcomes = [retry('not now'), dead('never')];
    await harness.start([testHandler({ order: 'none', decide: () => outcomes.shift() ?? done() })], {
      limits: { ...neverRetry, concurrency: 1 },
    });
    const first = testEvent({ correlationId: 'request-1', headers: { traceparent: '00-x' } });
    const second = testEvent();
    await harness.publish(first, second);
    await harness.accepted(first, second);
    const [retried] = await harness.rows('inbox_pending');
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
      headers: storedHeaders(first),
      payload: first.body,
    });
    const [letter] = await harness.rows('dead_letters');
    expect(letter).to.deep.include({
      message_id: second.messageId,
      handler: 'tasks.#',
      reason: 'refused',
      error: 'never',
      attempts: 1,
      state: 'dead',
      payload: second.body,
    });
    expect(letter?.['errors']).to.have.length(1);
  });

  it('retries a message whose handler throws or times out', async () => {
    const decide = (context: HandlerContext) => {
      if (context.aggregateId === 'throws') throw new Error('out of order');
      return new Promise<never>(() => undefined);
    };
    const atOnceThrowing = () => {
      throw new Error('no promise');
    };
    const handlers = [testHandler({ decide }), { ...testHandler({ name: 'throws at once' }), handle: atOnceThrowing }];
    await harness.start(handlers, { limits: { ...neverRetry, handleTimeoutMs: 50 } });
    const events = [testEvent({ aggregateId: 'throws' }), testEvent({ aggregateId: 'silent' })];
    await harness.publish(...events);
    await harness.accepted(...events);
    const retries = await waitFor(async () => {
      const rows = await harness.rows('inbox_pending');
      return rows.length === 4 && rows;
    });
    expect(retries.map((row) => [row['attempts'], row['last_error']])).to.have.deep.members([
      [1, 'Error: out of order'],
      [1, 'no outcome within 50 ms'],
      [1, 'Error: no promise'],
      [1, 'Error: no promise'],
    ]);
  });

  it('attempts recorded messages although new ones occupy every slot', async () => {
    const hang = Promise.withResolvers<void>();
    let hanging = 0;
    const decide = async (context: HandlerContext) => {
      if (context.attempt === 2) return recordEffect(context);
      if (context.aggregateId === 'fails') return retry('not now');
      hanging += 1;
      await hang.promise;
      return recordEffect(context);
    };
    const inbox = await harness.start([testHandler({ decide })], { limits: { ...neverRetry, concurrency: 1 } });
    const [failed, hung] = [testEvent({ aggregateId: 'fails' }), testEvent({ aggregateId: 'hangs' })];
    await harness.publish(failed);
    await harness.accepted(failed);
    await harness.publish(hung);
    await waitFor(() => hanging === 1);
    await harness.makeDue();
    // its lease would expire if it waited in a queue behind the other message
    await inbox.tick();
    expect(await harness.effects()).to.deep.equal([failed.messageId]);
    hang.resolve();
    await harness.accepted(hung);
  });

  it('attempts recorded messages although the handler of another one is slow', async () => {
    const hang = Promise.withResolvers<void>();
    let hanging = 0;
    const decide = async (context: HandlerContext) => {
      if (context.attempt === 1) return retry('not now');
      if (context.aggregateId === 'hangs') {
        hanging += 1;
        await hang.promise;
      }
      return recordEffect(context);
    };
    await harness.start([testHandler({ decide })], { limits: neverRetry });
    const [hung, other] = [testEvent({ aggregateId: 'hangs' }), testEvent({ aggregateId: 'other' })];
    await harness.publish(hung);
    await harness.accepted(hung);
    await harness.makeDue();
    await waitFor(() => hanging === 1);
    await harness.publish(other);
    await harness.accepted(other);
    await harness.makeDue();
    await waitFor(async () => (await harness.effects()).length === 1);
    expect(hanging).to.equal(1);
    hang.resolve();
    await waitFor(async () => (await harness.effects()).length === 2);
  });

  it('dead-letters a message after its last attempt, with the history of its errors', async () => {
    const seen: number[] = [];
    const decide = ({ attempt }: HandlerContext) => {
      seen.push(attempt);
      return retry(`attempt ${attempt}`);
    };
    await harness.start([testHandler({ decide })], { limits: { ...retryAtOnce, maxAttempts: 4 } });
    await harness.publish(testEvent());
    await waitFor(async () => (await harness.rows('dead_letters')).length === 1);
    const [letter] = await harness.rows('dead_letters');
    expect(seen).to.deep.equal([1, 2, 3, 4]);
    expect(letter).to.include({ reason: 'attempts_exhausted', error: 'attempt 4', attempts: 4 });
    const history = letter?.['errors'] as { attempt: number; error: string }[];
    expect(history.map(({ attempt, error }) => [attempt, error])).to.deep.equal(
      [1, 2, 3, 4].map((n) => [n, `attempt ${n}`]),
    );
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('waits as long as a handler requests', async () => {
    await harness.start([testHandler({ decide: () => retry('Retry-After', 60_000) })], { limits: retryAtOnce });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    const [row] = await harness.rows('inbox_pending');
    expect(Number(row?.['next_attempt_at']) - Date.now()).to.be.within(50_000, 60_000);
  });

  it('claims nothing while a dependency of the handlers is known to be unavailable', async () => {
    let isUnavailable = true;
    let attempts = 0;
    const decide = (context: HandlerContext) => (++attempts === 1 ? retry('unavailable') : recordEffect(context));
    const inbox = await harness.start([testHandler({ decide })], {
      limits: neverRetry,
      claimWhile: () => !isUnavailable,
    });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await harness.makeDue();
    await inbox.tick();
    expect(attempts).to.equal(1);
    isUnavailable = false;
    await inbox.tick();
    expect(await harness.effects()).to.deep.equal([event.messageId]);
  });

  it('retries messages that were recorded before a restart', async () => {
    const first = await harness.start([testHandler({ decide: () => retry('not now') })], { limits: neverRetry });
    const event = testEvent();
    await harness.publish(event);
    await harness.accepted(event);
    await first.stop();
    await harness.makeDue();
    await harness.start([testHandler()]);
    await waitFor(async () => (await harness.effects()).length === 1);
    expect(await harness.rows('inbox_pending')).to.deep.equal([]);
  });

  it('runs a handler and its effect in the trace and with the id of the request that caused the event', async () => {
    const seen: unknown[] = [];
    const note = (): void => void seen.push([logContext().request_id, traceId()]);
    const decide = () => {
      note();
      return done(async () => note());
    };
    await harness.start([testHandler({ decide })]);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    const event = testEvent({ correlationId: 'request-1', headers });
    await harness.publish(event);
    await harness.accepted(event);
    expect(seen).to.deep.equal([
      ['request-1', trace],
      ['request-1', trace],
    ]);
  });

  it('deletes message ids by age, and no others', async () => {
    await harness.start([testHandler()]);
    const events = testEvents(3);
    await harness.publish(...events);
    await harness.accepted(...events);
    const { pool } = harness.database.db;
    const old = '01900000-0000-7000-8000-000000000000';
    // one message was created long ago but received just now, the other the reverse: both may still be redelivered
    await query(pool, `INSERT INTO inbox VALUES ($1, 'received now', now())`, [old]);
    await query(pool, `INSERT INTO inbox VALUES ($1, 'old', now() - interval '8 days')`, [old]);
    await query(pool, `UPDATE inbox SET received_at = now() - interval '8 days' WHERE message_id = $1`, [
      events[0]?.messageId,
    ]);
    await harness.start([testHandler()]);
    await waitFor(async () => (await harness.rows('inbox')).length === 4);
    const left = (await harness.rows('inbox')).map((row) => row['handler']);
    expect(left).to.have.members(['received now', 'tasks.#', 'tasks.#', 'tasks.#']);
  });
});
