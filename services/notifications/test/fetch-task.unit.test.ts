import { createServiceClient, type ServiceClient } from '@taskwire/http-client';
import { createTelemetry } from '@taskwire/telemetry';
import { gone, notFound, silent, startFakeService, type FakeResponse } from '@taskwire/testing';
import { expect } from 'chai';
import { fetchTask } from '../src/clients/tasks.ts';

const idOf = (n: number) => `019a9d5e-71aa-7b3c-8d4e-${String(n).padStart(12, '0')}`;
const [one, other, unreadable, deleted, unknown] = [1, 2, 3, 4, 5].map(idOf) as [
  string,
  string,
  string,
  string,
  string,
];
const never = new AbortController().signal;

function shown(id: string) {
  const people = { creator_id: idOf(9), assignee_id: null, readers: null };
  const at = '2026-11-20T10:00:00.000000Z';
  const state = id === unreadable ? 7 : 'draft';
  return { id, title: 'Paint', state, ...people, due_at: null, version: 1, updated_at: at };
}

describe('Fetching tasks from Tasks', () => {
  let fake: Awaited<ReturnType<typeof startFakeService>>;
  let client: ServiceClient;
  let requests: string[];
  let answerSeveral: (ids: string[]) => Promise<FakeResponse>;

  before(async () => {
    fake = await startFakeService(async (path, _method, query) => {
      requests.push(path);
      if (path === '/tasks') return await answerSeveral(query.get('ids')?.split(',') ?? []);
      const id = path.replace('/tasks/', '');
      if (id === deleted) return gone;
      return id === unknown ? notFound : [200, shown(id)];
    });
    client = createServiceClient({
      ...{ name: 'tasks', baseUrl: fake.url, audience: 'urn:taskwire:tasks', scope: 'tasks:read' },
      tokens: { get: async () => 'token', invalidate: () => undefined, close: async () => undefined },
      telemetry: createTelemetry({ service: 'notifications', stream: silent() }),
    });
  });
  beforeEach(() => {
    requests = [];
    answerSeveral = async (ids) => [
      200,
      {
        data: ids.filter((id) => id !== deleted && id !== unknown).map(shown),
        deleted: ids.filter((id) => id === deleted),
      },
    ];
  });
  after(async () => {
    await client.close();
    await fake.stop();
  });

  async function kinds(ids: readonly string[]): Promise<string[]> {
    const fetch = fetchTask(client);
    return (await Promise.all(ids.map(async (id) => await fetch(id, never)))).map(({ kind }) => kind);
  }

  it('uses one request for the tasks of the same turn, each of which gets its own response', async () => {
    const fetch = fetchTask(client);
    const answers = await Promise.all([one, deleted, other, unknown, one].map(async (id) => await fetch(id, never)));
    expect(answers.map((answer) => (answer.kind === 'ok' ? answer.value.id : answer.kind))).to.deep.equal([
      ...[one, 'gone', other, 'not_found', one],
    ]);
    expect(requests).to.deep.equal(['/tasks']);
  });

  it('sends a request for a later call without waiting for an earlier one, whose response may be older', async () => {
    const fetch = fetchTask(client);
    const held = Promise.withResolvers<FakeResponse>();
    answerSeveral = async () => await held.promise;
    const slow = Promise.all([one, other].map(async (id) => await fetch(id, never)));
    await new Promise((resolve) => setImmediate(resolve));
    expect((await fetch(one, never)).kind).to.equal('ok');
    held.resolve([200, { data: [one, other].map(shown), deleted: [] }]);
    expect((await slow).map(({ kind }) => kind)).to.deep.equal(['ok', 'ok']);
    expect(requests).to.have.members(['/tasks', `/tasks/${one}`]);
  });

  it('reads each task alone when one cannot be read, or when Tasks does not know the shared request', async () => {
    expect(await kinds([one, unreadable])).to.deep.equal(['ok', 'unavailable']);
    for (const answer of [notFound, [500, {}] satisfies FakeResponse]) {
      answerSeveral = async () => answer;
      expect(await kinds([one, deleted])).to.deep.equal(['ok', 'gone']);
    }
  });

  it('sends no further requests during an outage', async () => {
    answerSeveral = async () => [503, {}];
    expect(await kinds([one, other])).to.deep.equal(['unavailable', 'unavailable']);
    expect(new Set(requests)).to.deep.equal(new Set(['/tasks']));
  });

  it('ends for a caller that gives up, and for no other', async () => {
    const held = Promise.withResolvers<FakeResponse>();
    answerSeveral = async () => await held.promise;
    const fetch = fetchTask(client);
    const givingUp = new AbortController();
    const [hasty, patient] = [fetch(one, givingUp.signal), fetch(other, never)];
    givingUp.abort(new Error('too late'));
    expect(await hasty).to.include({ kind: 'unavailable', reason: 'cancelled' });
    held.resolve([200, { data: [shown(other)], deleted: [] }]);
    expect((await patient).kind).to.equal('ok');
  });
});
