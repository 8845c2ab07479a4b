import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type View = { id: string; name: string; shared: boolean; filter: object | null; version: number };

describe('Views', () => {
  let harness: TasksHarness;
  let admin: Person;
  let ann: Person;
  let ben: Person;

  before(async () => {
    ({ harness, ann, ben } = await tasksTeam());
    admin = await harness.join('Ada', 'admin');
  });
  after(async () => await harness.stop());

  const filter = {
    and: [
      { field: 'assignee', op: 'eq', value: 'me' },
      { field: 'due_at', op: 'lt', value: 'P7D' },
    ],
  };
  const on = async (
    person: Person,
    operation: 'getView' | 'changeView' | 'deleteView',
    { id }: View,
    o: { body?: object; version?: string } = {},
  ): Promise<Answer> => {
    const headers = operation === 'getView' ? {} : { 'if-match': o.version ?? '*' };
    return await harness.call(operation, {
      token: person.token,
      params: { id },
      headers,
      ...(o.body && { body: o.body }),
    });
  };
  async function save(person: Person, body: object): Promise<View> {
    const answer = await harness.call('createView', { token: person.token, body: { name: 'Soon', ...body } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body as View;
  }
  async function names(person: Person): Promise<string[]> {
    const { body } = await harness.call('listViews', { token: person.token });
    return (body as { data: View[] }).data.map(({ name }) => name);
  }

  it('keep the body of a search as it was sent, and are changed under If-Match and deleted', async () => {
    const view = await save(ann, { filter, q: 'fence ', sort: '-due_at' });
    expect(view).to.deep.include({ name: 'Soon', shared: false, filter, q: 'fence ', sort: '-due_at', version: 1 });
    const { body: read, headers } = await on(ann, 'getView', view);
    expect(read).to.deep.equal(view);
    const version = headers.get('etag') ?? '';
    const changed = await on(ann, 'changeView', view, { version, body: { name: 'Later', q: null, sort: null } });
    expect(changed.body).to.deep.include({ name: 'Later', filter, q: null, sort: null, version: 2 });
    expect(codeOf(await on(ann, 'changeView', view, { version, body: { name: 'x' } }))).to.equal('precondition_failed');
    expect((await on(ann, 'deleteView', view)).status).to.equal(204);
    expect(codeOf(await on(ann, 'getView', view))).to.equal('not_found');
    // the content of a view can be searched
    const { filter: saved } = view;
    expect((await harness.call('searchTasks', { token: ben.token, body: { filter: saved } })).status).to.equal(200);
  });

  it('exist only for their creator, unless they are shared; others can then read them, and admins delete them', async () => {
    const own = await save(ann, { name: 'Own' });
    const shared = await save(ann, { name: 'Shared', shared: true });
    expect(await names(ann)).to.include.members(['Own', 'Shared']);
    for (const person of [ben, admin]) {
      expect(await names(person))
        .to.include('Shared')
        .and.not.to.include('Own');
      for (const operation of ['getView', 'changeView', 'deleteView'] as const)
        expect(
          codeOf(await on(person, operation, own, operation === 'changeView' ? { body: { name: 'x' } } : {})),
        ).to.equal('not_found');
      expect((await on(person, 'getView', shared)).status).to.equal(200);
      expect(codeOf(await on(person, 'changeView', shared, { body: { name: 'x' } }))).to.equal('forbidden');
    }
    expect(codeOf(await on(ben, 'deleteView', shared))).to.equal('forbidden');
    expect((await on(admin, 'deleteView', shared)).status).to.equal(204);
  });

  it('are refused if their search would be refused, and beyond a hundred for a user', async () => {
    const refused = async (body: object) =>
      codeOf(await harness.call('createView', { token: ben.token, body: { name: 'x', ...body } }));
    expect(await refused({ filter: { field: 'state', op: 'eq', value: 'done' } })).to.equal('invalid_input');
    expect(await refused({ q: '-fence' })).to.equal('search_too_broad');
    expect(await refused({ sort: 'relevance' })).to.equal('invalid_input');
    const view = await save(ben, { q: 'fence', sort: 'relevance' });
    expect(codeOf(await on(ben, 'changeView', view, { body: { q: null } }))).to.equal('invalid_input');
    await query(
      harness.database.db.pool,
      "INSERT INTO task_views (creator_id, name, is_shared) SELECT $1, 'x', false FROM generate_series(2, 100)",
      [ben.id],
    );
    expect(await refused({})).to.equal('too_many_views');
  });
});
