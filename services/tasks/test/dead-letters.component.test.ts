import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import { createRabbit, publishOnlyTopology, type OutgoingMessage, type Publisher, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';
import { codeOf } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Letter = { id: string; reason: string; state: string; settled_by: string | null; message_id: string };

describe('Dead letters of Tasks, over REST', () => {
  let harness: TasksHarness;
  let rabbit: Rabbit;
  let publisher: Publisher;
  let admin: Person;
  before(async () => {
    harness = await tasksHarness();
    admin = await harness.join('Ada', 'admin');
    const telemetry = createTelemetry({ service: 'auth', stream: silent() });
    rabbit = createRabbit({ url: harness.amqpUrl, name: 'auth', telemetry, topology: publishOnlyTopology });
    publisher = rabbit.publisher();
    await rabbit.start();
  });
  after(async () => {
    await rabbit.stop();
    await harness.stop();
  });

  async function list(query: Record<string, string>): Promise<Letter[]> {
    const { status, body } = await harness.call('listDeadLetters', { token: admin.token, query });
    expect(status, JSON.stringify(body)).to.equal(200);
    return (body as { data: Letter[] }).data;
  }

  /** Publishes an event that breaks its contract; resolves to its dead letter. */
  async function createDeadLetter(): Promise<Letter> {
    const id = crypto.randomUUID();
    const message: OutgoingMessage = {
      messageId: id,
      routingKey: 'auth.user.created',
      body: Buffer.from('{"user_id":"not a uuid"}'),
      headers: { schema_version: 1, aggregate_id: id },
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'auth',
    };
    // a returned message means that the queue is not bound yet
    await waitFor(async () => (await publisher.publish(message)) === 'confirmed');
    const [letter] = await waitFor(async () => {
      const letters = await list({ message_id: id });
      return letters.length > 0 && letters;
    });
    return letter!;
  }

  it('can be searched and read by admins', async () => {
    const letter = await createDeadLetter();
    expect(letter).to.include({ reason: 'bad_schema', state: 'dead' });
    const found = await list({
      key: letter.message_id,
      type: 'auth.#',
      reason: 'user_id',
      from: '2026-01-01T00:00:00Z',
    });
    expect(found).to.deep.equal([letter]);
    const { status, body } = await harness.call('getDeadLetter', { token: admin.token, params: { id: letter.id } });
    expect(status).to.equal(200);
    expect(body).to.deep.include({ payload: '{"user_id":"not a uuid"}', audit: [] });
  });

  it('are closed to everyone else', async () => {
    const { id, message_id } = await createDeadLetter();
    const token = (await harness.join('Mona', 'manager')).token;
    const calls = await Promise.all([
      harness.call('listDeadLetters', { token }),
      harness.call('getDeadLetter', { token, params: { id } }),
      harness.call('replayDeadLetter', { token, params: { id } }),
      harness.call('replayDeadLetters', { token, body: { filter: {} } }),
      harness.call('dropDeadLetter', { token, params: { id }, body: { reason: 'mine' } }),
    ]);
    for (const answer of calls) expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'forbidden']);
    expect(await list({ message_id })).to.have.length(1);
  });

  it('are replayed once, and become a new dead letter if the cause persists', async () => {
    const letter = await createDeadLetter();
    const replay = { token: admin.token, params: { id: letter.id } };
    const first = await harness.call('replayDeadLetter', replay);
    expect(first.status).to.equal(200);
    expect(first.body).to.include({ state: 'replayed', settled_by: `user:${admin.id}` });
    const second = await harness.call('replayDeadLetter', replay);
    expect([second.status, codeOf(second)]).to.deep.equal([409, 'conflict']);
    expect(schemas.problem.parse(second.body).detail).to.include('replayed').and.to.include(admin.id);
    await waitFor(async () => (await list({ message_id: letter.message_id })).length === 1);
    const all = await list({ message_id: letter.message_id, state: 'any' });
    expect(all.map(({ state }) => state)).to.deep.equal(['dead', 'replayed']);
  });

  it('are dropped once, with a reason', async () => {
    const { id } = await createDeadLetter();
    const drop = { token: admin.token, params: { id }, body: { reason: 'a test’s message' } };
    const first = await harness.call('dropDeadLetter', drop);
    expect(first.status).to.equal(200);
    expect((first.body as { audit: object[] }).audit[0]).to.include({ action: 'drop', reason: drop.body.reason });
    expect(codeOf(await harness.call('dropDeadLetter', drop))).to.equal('conflict');
    expect(codeOf(await harness.call('replayDeadLetter', { token: admin.token, params: { id } }))).to.equal('conflict');
  });

  it('are not dropped with a token older than five minutes, which may be stolen', async () => {
    const { id, message_id } = await createDeadLetter();
    const drop = async (loggedInAgo: number) =>
      await harness.call('dropDeadLetter', {
        token: await harness.auth.userToken(admin, { loggedInAgo }),
        params: { id },
        body: { reason: 'no longer needed' },
      });
    const answer = await drop(301);
    expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'reauthentication_required']);
    expect(await list({ message_id })).to.have.length(1);
    expect((await drop(200)).status).to.equal(200);
  });

  it('are replayed in batches that end even if every message fails again', async () => {
    for (const letter of await list({}))
      await harness.call('dropDeadLetter', { token: admin.token, params: { id: letter.id }, body: { reason: 'done' } });
    const deadLetters = [await createDeadLetter(), await createDeadLetter(), await createDeadLetter()];
    const replay = async (filter: object) => {
      const { status, body } = await harness.call('replayDeadLetters', {
        token: admin.token,
        body: { filter, limit: 2 },
      });
      expect(status).to.equal(200);
      return body as { replayed: number; more: boolean; until: string };
    };
    const first = await replay({ type: 'auth.user.*' });
    expect(first).to.include({ replayed: 2, more: true });
    const second = await replay({ type: 'auth.user.*', until: first.until });
    expect(second).to.include({ replayed: 1, more: false, until: first.until });
    await waitFor(async () => (await list({})).length === deadLetters.length);
    expect(await replay({ until: first.until })).to.include({ replayed: 0, more: false });
  });

  it('reject invalid times, types and cursors in searches', async () => {
    const faulty: Record<string, string>[] = [
      { from: '0000-01-01T00:00:00Z' },
      { until: 'yesterday' },
      { state: 'lost' },
      { key: 'a\u0000b' },
      { type: 'x'.repeat(101) },
    ];
    for (const query of faulty) {
      const answer = await harness.call('listDeadLetters', { token: admin.token, query });
      expect([answer.status, codeOf(answer)], JSON.stringify(query)).to.deep.equal([422, 'invalid_input']);
    }
    expect(await list({ type: '(*.[#' })).to.deep.equal([]);
    const answer = await harness.call('listDeadLetters', { token: admin.token, query: { cursor: 'bm9uc2Vuc2U' } });
    expect(codeOf(answer)).to.equal('bad_cursor');
  });
});
