import { commentRoutes } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { z } from 'zod';
import { codeOf, type Call } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Comment = z.output<(typeof commentRoutes.getComment.responses)[200]>;

describe('Comments', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let taskId: string;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());
  beforeEach(async () => {
    taskId = (await harness.createTask(ann)).id;
  });

  const add = async (author: Person, body: string, more: Partial<Call> = {}) =>
    await harness.call('addComment', { token: author.token, params: { id: taskId }, body: { body }, ...more });
  const added = async (author: Person, body: string) => (await add(author, body)).body as Comment;
  const at = ({ token }: Person, comment: { id: string }, ifMatch = '*') => ({
    ...{ token, params: { id: taskId, comment_id: comment.id } },
    headers: { 'if-match': ifMatch },
  });
  const change = async (author: Person, comment: Comment, body: string, ifMatch = '*') =>
    await harness.call('changeComment', { ...at(author, comment, ifMatch), body: { body } });
  const bodies = async () => {
    const { body } = await harness.call('listComments', { token: ben.token, params: { id: taskId } });
    return (body as { data: Comment[] }).data.map((one) => one.body);
  };
  /** Waits until exactly these events of comments were published; types have no prefix. Their order with the events of the task is not defined. */
  async function published(...types: string[]): Promise<Record<string, unknown>[]> {
    const seen = () => harness.observer.about(taskId).filter(({ type }) => type.startsWith('tasks.comment.'));
    const isComplete = () =>
      expect(seen().map(({ type }) => type.replace('tasks.comment.', ''))).to.have.members(types);
    await waitFor(isComplete);
    return seen().map(({ payload }) => payload);
  }

  it('are added by every user, with the users that they mention, and leave the version of the task unchanged', async () => {
    const text = `<@${ben.id}>, ask <@${manager.id.toUpperCase()}> and <@${ben.id}>. <@unknown> \u{1f44b}`;
    const answer = await add(manager, text);
    expect(answer.status).to.equal(201);
    const comment = answer.body as Comment;
    expect(comment).to.deep.include({
      ...{ task_id: taskId, author_id: manager.id, author: { id: manager.id, name: 'Mona' }, body: text, version: 1 },
      mentions: [
        { id: ben.id, name: 'Ben' },
        { id: manager.id, name: 'Mona' },
      ],
      updated_at: comment.created_at,
    });
    expect((await harness.call('getComment', at(ben, comment))).body).to.deep.equal(comment);
    expect(await harness.read(ann, { id: taskId })).to.include({ version: 1 });
    expect(await published('added')).to.deep.equal([
      {
        ...{ task_uuid: taskId, project_id: null, comment_uuid: comment.id, author: manager.id },
        mentions: [ben.id, manager.id],
        ...{ timestamp: comment.created_at, actor: manager.id },
      },
    ]);
  });

  it('are listed oldest first, in pages that stay complete while comments are added', async () => {
    for (const text of ['one', 'two', 'three']) await added(ann, text);
    const first = await harness.call('listComments', {
      token: ben.token,
      params: { id: taskId },
      query: { limit: '2' },
    });
    const page = first.body as { data: Comment[]; next_cursor: string };
    await added(ben, 'four');
    const rest = await harness.call('listComments', {
      ...{ token: ben.token, params: { id: taskId }, query: { limit: '2', cursor: page.next_cursor } },
    });
    const { data, next_cursor } = rest.body as { data: Comment[]; next_cursor: string | null };
    expect([...page.data, ...data].map(({ body }) => body)).to.deep.equal(['one', 'two', 'three', 'four']);
    expect(next_cursor).to.equal(null);
    const { id } = await harness.createTask(ann);
    const elsewhere = { token: ben.token, params: { id }, query: { cursor: page.next_cursor } };
    expect(codeOf(await harness.call('listComments', elsewhere))).to.equal('bad_cursor');
  });

  it('are changed by their author alone, in order of versions, and name those who are mentioned for the first time', async () => {
    const comment = await added(ann, `<@${ben.id}>`);
    for (const other of [ben, manager]) expect(codeOf(await change(other, comment, 'x'))).to.equal('forbidden');
    const answer = await change(ann, comment, `<@${ben.id}> <@${manager.id}>`, '"1"');
    expect(answer.body).to.deep.include({ version: 2, created_at: comment.created_at });
    expect((answer.body as Comment).updated_at > comment.updated_at).to.equal(true);
    const late = await change(ann, comment, 'late', '"1"');
    expect(late.body).to.deep.include({ code: 'precondition_failed', current: answer.body });
    // the same text is no change
    expect((await change(ann, comment, `<@${ben.id}> <@${manager.id}>`, '"2"')).body).to.deep.equal(answer.body);
    expect(
      codeOf(await harness.call('changeComment', { ...at(ann, comment), headers: {}, body: { body: 'x' } })),
    ).to.equal('precondition_required');
    const [, changed] = await published('added', 'changed');
    expect(changed).to.deep.equal({
      ...{ task_uuid: taskId, project_id: null, comment_uuid: comment.id, author: ann.id, actor: ann.id },
      ...{ mentions: [ben.id, manager.id], mentions_added: [manager.id] },
      timestamp: (answer.body as Comment).updated_at,
    });
  });

  it('name each user whom they mention once in an event, also after the mention was removed and however an older release changed them', async () => {
    const comment = await added(ann, `<@${ben.id}>`);
    await change(ann, comment, 'no one');
    await change(ann, comment, `<@${ben.id}> <@${manager.id}>`);
    // as release 0.3.0 writes a comment
    const text = 'UPDATE task_comments SET body = $2, mentions = $3 WHERE id = $1';
    for (const mentions of [[ann.id], []])
      await query(harness.database.db.pool, text, [comment.id, 'by another release', mentions]);
    await change(ann, comment, `<@${manager.id}> <@${ann.id}> <@${ben.id}>`);
    const [, ...changed] = await published('added', 'changed', 'changed', 'changed');
    const mentionsOf = changed.map(({ mentions, mentions_added }) => [mentions, mentions_added]);
    expect(mentionsOf).to.deep.equal([
      [[], []],
      [[ben.id, manager.id], [manager.id]],
      [[manager.id, ann.id, ben.id], []],
    ]);
  });

  it('cannot mention a deleted user again after the mention was removed', async () => {
    const gone = await harness.join('Cas', 'member');
    const comment = await added(ann, `<@${gone.id}>`);
    await change(ann, comment, 'no one');
    await harness.become(gone, 'deleted');
    expect(codeOf(await change(ann, comment, `<@${gone.id}>`))).to.equal('unknown_mention');
  });

  it('are deleted permanently by their author or an admin, and the activity log keeps no text', async () => {
    const admin = await harness.join('Ada', 'admin');
    const [first, second, third] = [await added(ann, 'first'), await added(ann, 'second'), await added(ann, 'third')];
    expect(codeOf(await harness.call('deleteComment', at(manager, first)))).to.equal('forbidden');
    expect((await harness.call('deleteComment', at(ann, first, '"1"'))).status).to.equal(204);
    expect((await harness.call('deleteComment', at(admin, second))).status).to.equal(204);
    expect(codeOf(await harness.call('deleteComment', at(ann, first)))).to.equal('not_found');
    expect(codeOf(await harness.call('getComment', at(ann, first)))).to.equal('not_found');
    expect(await bodies()).to.deep.equal(['third']);
    const entries = (await harness.activity(ben, { id: taskId })).filter(({ field }) => field === 'comment');
    expect(entries.map(({ action, actor, from, to }) => [action, actor?.id, from, to])).to.deep.equal([
      ...[first, second, third].map(({ id }) => ['comment_added', ann.id, null, id]),
      ['comment_deleted', ann.id, first.id, null],
      ['comment_deleted', admin.id, second.id, null],
    ]);
    const [kept] = await query<{ text: string }>(
      harness.database.db.pool,
      'SELECT json_agg(entry)::text AS text FROM task_activity entry WHERE task_id = $1',
      [taskId],
    );
    expect(kept?.text).not.to.match(/first|second|third/);
    const payloads = await published('added', 'added', 'added', 'deleted', 'deleted');
    const removed = payloads.filter((payload) => !('mentions' in payload));
    expect(removed.map((payload) => [payload['author'], payload['actor']])).to.have.deep.members([
      [ann.id, ann.id],
      [ann.id, admin.id],
    ]);
  });

  it('that mention someone who does not exist or was deleted are rejected, and nothing is stored', async () => {
    const gone = await harness.join('Cas', 'member');
    await harness.become(gone, 'deleted');
    const comment = await added(ann, 'kept');
    for (const id of [gone.id, crypto.randomUUID()]) {
      const answer = await add(ann, `<@${ben.id}> <@${id}>`, { headers: { 'idempotency-key': id } });
      expect(answer.status).to.equal(422);
      expect(answer.body).to.deep.include({
        code: 'unknown_mention',
        errors: [{ field: 'body', code: 'unknown_mention', message: `mentions ${id}, which is not the id of a user` }],
      });
      expect(codeOf(await change(ann, comment, `<@${id}>`))).to.equal('unknown_mention');
      // the key of a rejected request is free
      expect((await add(ann, `again ${id}`, { headers: { 'idempotency-key': id } })).status).to.equal(201);
    }
    expect(await bodies()).to.have.length(3);
  });

  it('keep a mention of a user who was deleted later, also when they are changed', async () => {
    const gone = await harness.join('Cas', 'member');
    const comment = await added(ann, `<@${gone.id}>`);
    await harness.become(gone, 'deleted');
    const answer = await change(ann, comment, `<@${gone.id}>, thank you.`);
    expect(answer.status).to.equal(200);
    expect((answer.body as Comment).mentions).to.deep.equal([{ id: gone.id, name: 'Deleted user' }]);
  });

  it('can mention a user of whom no event has arrived yet, and get 503 while Auth is unavailable', async () => {
    const id = crypto.randomUUID();
    harness.auth.users.set(id, {
      id,
      name: 'New',
      role: 'member',
      version: 1,
      is_deleted: false,
      email_verified: true,
    });
    harness.auth.outage = 503;
    const refused = await add(ann, `<@${id}>`);
    expect([refused.status, refused.headers.get('retry-after') !== null]).to.deep.equal([503, true]);
    harness.auth.outage = undefined;
    // the circuit breaker lets a call through again after a pause
    const accepted = await waitFor(async () => {
      const answer = await add(ann, `<@${id}>`);
      return answer.status === 201 ? answer : undefined;
    });
    expect((accepted.body as Comment).mentions).to.deep.equal([{ id, name: 'New' }]);
  });

  it('have 1 to 10,000 characters, at least one of them visible, and at most 50 mentions', async () => {
    const mentions = (count: number) => Array.from({ length: count }, () => `<@${crypto.randomUUID()}>`).join('');
    for (const body of ['', ' \n', '\u200b', 'x'.repeat(10_001), 'a\u0000b', mentions(51)]) {
      const answer = await add(ann, body);
      expect(answer.status, body.slice(0, 20)).to.equal(422);
      expect((answer.body as { errors: { field: string }[] }).errors.map(({ field }) => field)).to.deep.equal(['body']);
    }
    expect((await add(ann, '\u{1f44b}'.repeat(5_000))).status).to.equal(201);
  });

  it('of a deleted task are gone, and return 404 under the id of another task', async () => {
    const comment = await added(ann, 'kept');
    const other = await harness.createTask(ann);
    const wrong = { ...at(ann, comment), params: { id: other.id, comment_id: comment.id } };
    for (const operation of ['getComment', 'deleteComment'] as const)
      expect(codeOf(await harness.call(operation, wrong)), operation).to.equal('not_found');
    await harness.call('deleteTask', { token: ann.token, params: { id: taskId }, headers: { 'if-match': '*' } });
    for (const answer of [
      await add(ann, 'late'),
      await change(ann, comment, 'late'),
      await harness.call('listComments', { token: ann.token, params: { id: taskId } }),
      await harness.call('getComment', at(ann, comment)),
    ])
      expect(codeOf(answer)).to.equal('not_found');
  });

  it('added at the same time are all kept, with one event and one entry each, in one order', async () => {
    const texts = Array.from({ length: 12 }, (_, index) => `comment ${index}`);
    await Promise.all(texts.map(async (text, index) => await add([ann, ben, manager][index % 3] as Person, text)));
    expect(await bodies()).to.have.members(texts);
    await published(...texts.map(() => 'added'));
    const logged = (await harness.activity(ben, { id: taskId })).flatMap(({ field, to }) =>
      field === 'comment' ? [to] : [],
    );
    const { body } = await harness.call('listComments', { token: ben.token, params: { id: taskId } });
    expect(logged).to.deep.equal((body as { data: Comment[] }).data.map(({ id }) => id));
  });
});
