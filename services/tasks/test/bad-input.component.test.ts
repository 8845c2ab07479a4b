import { expect } from 'chai';
import { tasksRoutes } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { codeOf, type Call } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Operation = keyof typeof tasksRoutes;
const operations = Object.keys(tasksRoutes) as Operation[];
/** The operations for users. Those for workers have separate tests. */
const publicOperations = operations.filter((name) => tasksRoutes[name].access.kind === 'user');
const withBody = {
  createTask: { title: 'x' },
  changeTask: { title: 'x' },
  assignTask: { assign: 'random' },
  transitionTask: { state: 'cancelled' },
  bulkTasks: { operations: [{ op: 'create', body: { title: 'x' } }] },
  addComment: { body: 'Done.' },
  changeComment: { body: 'Done.' },
  createView: { name: 'Mine' },
  changeView: { name: 'Mine' },
  createTaskTemplate: { name: 'Mine', task: { title: 'x' } },
  changeTaskTemplate: { name: 'Mine' },
  instantiateTaskTemplate: { values: {} },
  moveTask: { view_id: crypto.randomUUID(), before_id: crypto.randomUUID() },
  previewSchedule: { kind: 'cron', expression: '0 9 * * *' },
  createSchedule: { kind: 'cron', expression: '0 9 * * *', target: { kind: 'task', title: 'x' } },
  changeSchedule: { expression: '0 9 * * *' },
  backfillSchedule: { from: new Date().toISOString(), to: new Date().toISOString() },
  dropDeadLetter: { reason: 'a test' },
  replayJob: { reason: 'a test' },
  createProject: { name: 'Garden' },
  changeProject: { name: 'Garden' },
  setProjectMember: { role: 'viewer' },
};
const withId = [...publicOperations, 'getInternalTask' as const].filter((name) =>
  tasksRoutes[name].path.includes('{id}'),
);

describe('Invalid requests to Tasks', () => {
  let harness: TasksHarness;
  let admin: Person;
  let taskId: string;
  let commentId: string;
  let stored: unknown;

  before(async () => {
    harness = await tasksHarness();
    admin = await harness.join('Ada', 'admin');
    await harness.join('Ann', 'member');
    taskId = (await harness.createTask(admin)).id;
    const comment = { token: admin.token, params: { id: taskId }, body: { body: 'Done.' } };
    commentId = ((await harness.call('addComment', comment)).body as { id: string }).id;
    stored = await everything();
  });
  afterEach('nothing was written', async () => expect(await everything()).to.deep.equal(stored));
  after(async () => await harness.stop());

  async function everything(): Promise<unknown> {
    const [row] = await query(
      harness.database.db.pool,
      `SELECT (SELECT json_agg(tasks ORDER BY id) FROM tasks) AS tasks, (SELECT count(*) FROM task_activity) AS entries,
         (SELECT count(*) FROM idempotency_keys) AS keys, (SELECT json_agg(task_comments) FROM task_comments) AS comments,
         (SELECT count(*) FROM schedules) AS schedules, (SELECT count(*) FROM task_views) AS views,
         (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM task_blockers) AS blockers`,
    );
    return row;
  }

  /** A valid call. */
  function good(operation: Operation): Call {
    const body = (withBody as Partial<Record<Operation, unknown>>)[operation];
    return {
      token: admin.token,
      params: {
        ...{ id: taskId, other_id: taskId, comment_id: commentId, task_id: taskId, user_id: admin.id },
        ...{ queue: 'reports', key: 'a' },
      },
      headers: { 'if-match': '*', 'idempotency-key': crypto.randomUUID() },
      ...(body === undefined ? {} : { body }),
    };
  }

  async function expectRefusal(operation: Operation, call: Call, status: number, code: string): Promise<void> {
    const answer = await harness.call(operation, call);
    expect([answer.status, codeOf(answer)], `${operation} ${JSON.stringify(call)}`).to.deep.equal([status, code]);
  }

  describe('with an invalid access token', () => {
    it('get 401 without a token, or with one that is malformed, expired or for another audience', async () => {
      const bad: [string | undefined, string][] = [
        [undefined, 'unauthenticated'],
        ['nonsense', 'invalid_token'],
        [await harness.auth.userToken(admin, { expiresIn: -60 }), 'token_expired'],
        [await harness.auth.userToken(admin, { audience: 'urn:taskwire:auth' }), 'invalid_token'],
        [`${admin.token.slice(0, -4)}AAAA`, 'invalid_token'],
      ];
      for (const operation of operations) {
        for (const [token, code] of bad) {
          const { token: _, ...call } = good(operation);
          await expectRefusal(operation, { ...call, ...(token === undefined ? {} : { token }) }, 401, code);
        }
      }
    });

    it('get 403 when a service calls a public path, or when a user or a service without the scope calls an internal path', async () => {
      const service = await harness.auth.serviceToken('tasks:read');
      for (const operation of publicOperations) {
        const isForServices = 'service' in tasksRoutes[operation].access;
        const code = isForServices ? 'insufficient_scope' : 'forbidden';
        await expectRefusal(operation, { ...good(operation), token: service }, 403, code);
      }
      const [wrong, none] = [await harness.auth.serviceToken('users:read'), await harness.auth.serviceToken('')];
      for (const token of [admin.token, wrong, none]) {
        await expectRefusal('getInternalTask', { ...good('getInternalTask'), token }, 403, 'insufficient_scope');
      }
    });

    it('get 401 when the user was deleted, although the token has not expired', async () => {
      const gone = await harness.join('Gus', 'admin');
      await harness.become(gone, 'deleted');
      for (const operation of publicOperations) {
        await expectRefusal(operation, { ...good(operation), token: gone.token }, 401, 'access_revoked');
      }
    });

    it('get 403 when the user was demoted: the current role counts, not the one in the token', async () => {
      const demoted = await harness.join('Dora', 'admin');
      await harness.become(demoted, 'member');
      const call = { ...good('assignTask'), token: demoted.token };
      await expectRefusal('assignTask', call, 403, 'forbidden');
    });
  });

  describe('with an invalid body', () => {
    for (const operation of Object.keys(withBody) as (keyof typeof withBody)[]) {
      const refused = async (body: unknown, status: number, code: string, headers: Record<string, string> = {}) => {
        const call = good(operation);
        await expectRefusal(operation, { ...call, body, headers: { ...call.headers, ...headers } }, status, code);
      };

      it(`get 400 for malformed JSON, 415 for an unsupported media type, 413 for a body that is too large (${operation})`, async () => {
        await refused('{"title": ', 400, 'malformed_json');
        await refused('', 400, 'malformed_json');
        await refused('title=x', 415, 'unsupported_media_type', {
          'content-type': 'application/x-www-form-urlencoded',
        });
        await refused('{}', 415, 'unsupported_media_type', { 'content-type': 'text/plain' });
        await refused({ title: 'x'.repeat(1024 * 1024) }, 413, 'payload_too_large');
      });

      it(`get 422 for JSON of the wrong shape and for unknown fields (${operation})`, async () => {
        for (const body of ['null', '[]', '"text"', '7', '{}', [withBody[operation]]]) {
          await refused(body, 422, 'invalid_input');
        }
        await refused({ ...withBody[operation], creator_id: admin.id }, 422, 'invalid_input');
        await refused('{"__proto__": {"title": "x"}}', 422, 'invalid_input');
      });
    }

    const badFields: [string, unknown][] = [
      ['title', 7],
      ['title', ''],
      ['title', '   '],
      // zero-width characters, tags, variation selectors, fillers and blanks are all invisible
      ...['\u200b', '\u2800', '\u3164\u115f\uffa0', '\u{e0041}', '\ufe0f', '\u00ad\u2060', '\u202e', '\u{1d159}'].map(
        (text): [string, unknown] => ['title', text],
      ),
      ['title', 'x'.repeat(201)],
      ['title', 'two\nlines'],
      ['title', 'nul\u0000'],
      ['description', 'nul\u0000'],
      ['description', 'x'.repeat(10_001)],
      ['description', null],
      ['priority', 'highest'],
      ['due_at', 'tomorrow'],
      ['due_at', '2026-02-30T00:00:00Z'],
      ['due_at', '2026-12-24T18:00:00'],
      ['due_at', '0000-01-01T00:00:00Z'],
      ['due_at', '9999-12-31T23:59:59-01:00'],
      ['due_at', 1_700_000_000],
      ['labels', 'home'],
      ['labels', ['a', 'a']],
      ['labels', ['']],
      ['labels', ['\u200b']],
      // é as one character, and as a letter with a combining accent
      ['labels', ['caf\u00e9', 'cafe\u0301']],
      ['labels', ['home', 'ho\u200bme']],
      ['labels', Array.from({ length: 21 }, (_, index) => String(index))],
      ['labels', [['a']]],
    ];
    for (const operation of ['createTask', 'changeTask'] as const) {
      it(`get 422 for fields that break a rule, with the names of the fields (${operation})`, async () => {
        for (const [field, value] of badFields) {
          const answer = await harness.call(operation, { ...good(operation), body: { title: 'x', [field]: value } });
          expect([answer.status, codeOf(answer)], `${field}: ${JSON.stringify(value)}`).to.deep.equal([
            422,
            'invalid_input',
          ]);
          const { errors } = answer.body as { errors: { field: string }[] };
          expect(errors.map((error) => error.field.split('.')[0])).to.deep.equal([field]);
        }
      });
    }

    it('get 422 for a field that another operation changes, with the name of that operation', async () => {
      for (const [body, operation] of [
        [{ state: 'completed' }, 'POST /api/v1/tasks/{id}/transition, for example {"state": "in_progress"}'],
        [{ assignee_id: admin.id }, 'POST /api/v1/tasks/{id}/assign, for example {"assignee_id": '],
      ] as const) {
        const answer = await harness.call('changeTask', { ...good('changeTask'), body });
        expect([answer.status, codeOf(answer)]).to.deep.equal([422, 'invalid_input']);
        expect((answer.body as { detail: string }).detail).to.include(operation);
      }
    });

    it('get 422 for an assignee that is not a UUID, or that comes with a random choice', async () => {
      for (const operation of ['createTask', 'assignTask'] as const) {
        const title = operation === 'createTask' ? { title: 'x' } : {};
        for (const body of [
          { assignee_id: 'ann' },
          { assignee_id: null },
          { assign: 'chance' },
          { assignee_id: admin.id, assign: 'random' },
        ]) {
          await expectRefusal(operation, { ...good(operation), body: { ...title, ...body } }, 422, 'invalid_input');
        }
      }
    });

    it('get 422 for an unknown state', async () => {
      for (const state of ['done', '', 7, null, ['draft']]) {
        await expectRefusal('transitionTask', { ...good('transitionTask'), body: { state } }, 422, 'invalid_input');
      }
    });
  });

  describe('with an invalid path or query', () => {
    it('get 422 for an id that is not a UUID, and 404 for an unknown one', async () => {
      for (const operation of withId) {
        const call = {
          ...good(operation),
          ...(operation === 'getInternalTask' ? { token: await harness.auth.serviceToken('tasks:read') } : {}),
        };
        for (const id of ['7', 'x'.repeat(500), '%00', `${taskId}'--`]) {
          await expectRefusal(operation, { ...call, params: { ...call.params, id } }, 422, 'invalid_input');
        }
        await expectRefusal(
          operation,
          { ...call, params: { ...call.params, id: crypto.randomUUID() } },
          404,
          'not_found',
        );
      }
    });

    it('get 400 for a path that cannot be decoded', async () => {
      await expectRefusal('getTask', { ...good('getTask'), params: { id: '%ff' } }, 400, 'bad_request');
    });

    it('get 422 for unknown and invalid query parameters', async () => {
      const bad: Record<string, string>[] = [
        { limit: '0' },
        { limit: '101' },
        { limit: '1e1' },
        { limit: '-1' },
        { state: 'open' },
        { assignee: 'you' },
        { creator: 'none' },
        { mine: 'yes' },
        { sort: 'title' },
        { sort: 'due_at,priority' },
        { label: '' },
        { label: 'x'.repeat(51) },
        { label_all: '\u200b' },
        { due_before: 'tomorrow' },
        { due_after: '0001-01-01T00:00:00+01:00' },
        { priority: 'highest' },
        { cursor: '' },
        { cursor: 'x'.repeat(1001) },
      ];
      for (const parameters of bad) {
        await expectRefusal('listTasks', { ...good('listTasks'), query: parameters }, 422, 'invalid_input');
      }
    });

    it('get 400 for a cursor that the list did not issue', async () => {
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const cursors = [
        'nonsense',
        '!',
        encode(null),
        encode([]),
        encode(['x']),
        encode([7]),
        encode([taskId, 1]),
        encode(['9'.repeat(19)]),
      ];
      for (const cursor of cursors) {
        await expectRefusal('listTasks', { ...good('listTasks'), query: { cursor } }, 400, 'bad_cursor');
      }
      for (const cursor of [...cursors, encode([taskId]), encode(['-1'])]) {
        await expectRefusal('listActivity', { ...good('listActivity'), query: { cursor } }, 400, 'bad_cursor');
      }
    });

    it('get 405 for an unsupported method, and 404 for an unknown path', async () => {
      const send = async (method: string, path: string) => {
        const response = await fetch(`${harness.service.http.url()}${path}`, {
          method,
          headers: { authorization: `Bearer ${admin.token}` },
        });
        return [response.status, ((await response.json()) as { code: string }).code];
      };
      expect(await send('PUT', `/api/v1/tasks/${taskId}`)).to.deep.equal([405, 'method_not_allowed']);
      expect(await send('DELETE', '/api/v1/tasks')).to.deep.equal([405, 'method_not_allowed']);
      expect(await send('GET', '/api/v1/taskss')).to.deep.equal([404, 'not_found']);
    });
  });
});
