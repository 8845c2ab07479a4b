import { MatchersV3 as is } from '@pact-foundation/pact';
import { createTelemetry } from '@taskwire/telemetry';
import { describePact, exampleInstant, exampleToken, expectEvent, readAsConsumer } from '@taskwire/pact-testing';
import { silent, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { FetchTask } from '../src/app/find-task.ts';
import { fetchTask } from '../src/clients/tasks.ts';
import { targetsOf } from '../src/wire/clients.ts';
import { startPactHarness, type PactHarness } from './support/pact-harness.ts';

const taskId = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const creatorId = '019a9d5e-82bb-7c4d-9e5f-6a7b8c9d0e1f';
const commentIds = [
  '019a9d5e-a4dd-7e6f-9a7b-8c9d0e1f2a3b',
  '019a9d5e-a4dd-7e6f-9a7b-8c9d0e1f2a3c',
  '019a9d5e-a4dd-7e6f-9a7b-8c9d0e1f2a3d',
] as const;
const performerId = '019a9d5e-93cc-7d5e-8f6a-7b8c9d0e1f2a';
const at = '2026-11-20T15:57:51.123456Z';
const headers = { authorization: `Bearer ${exampleToken}` };

describePact('notifications', 'tasks', (pact) => {
  const telemetry = createTelemetry({ service: 'notifications', stream: silent() });

  const withTasks = async <T>(baseUrl: string, read: (fetch: FetchTask) => Promise<T>): Promise<T> =>
    await readAsConsumer(
      targetsOf({ AUTH_INTERNAL_URL: baseUrl, TASKS_INTERNAL_URL: baseUrl }).tasks,
      telemetry,
      async (client) => await read(fetchTask(client)),
    );
  const ask = async (baseUrl: string): ReturnType<FetchTask> =>
    await withTasks(baseUrl, async (fetch) => await fetch(taskId, AbortSignal.timeout(5_000)));

  const path = is.fromProviderState('/tasks/${id}', `/tasks/${taskId}`);

  const examples = [
    { given: 'a task', state: 'draft' },
    { given: 'a task that is assigned', state: 'assigned', assigneeId: performerId, assignee: is.uuid(performerId) },
    { given: 'a task that is due', state: 'draft', dueAt: at, due: exampleInstant(is) },
    {
      given: 'a task in a project',
      state: 'draft',
      readers: [performerId],
      readersMatcher: is.eachLike(is.uuid(performerId), 1),
    },
  ];
  for (const {
    given,
    state,
    assigneeId = null,
    assignee = null,
    dueAt = null,
    due = null,
    readers = null,
    readersMatcher = null,
  } of examples) {
    it(`reads ${given}`, async () => {
      await pact()
        .addInteraction()
        .given(given)
        .uponReceiving(`a request for ${given}`)
        .withRequest('GET', path, (request) => request.headers(headers))
        .willRespondWith(200, (response) =>
          response.jsonBody({
            id: is.fromProviderState('${id}', taskId),
            title: is.string('Paint the fence'),
            state,
            creator_id: is.uuid(creatorId),
            assignee_id: assignee,
            due_at: due,
            readers: readersMatcher,
            version: is.integer(1),
            updated_at: exampleInstant(is),
          }),
        )
        .executeTest(async ({ url }) => {
          const title = 'Paint the fence';
          const people = { creatorId, assigneeId, readers };
          const value = { id: taskId, title, state, ...people, dueAt, version: 1, updatedAt: at, sourceEpoch: 1 };
          expect(await ask(url)).to.deep.equal({ kind: 'ok', value });
        });
    });
  }

  it('reads several tasks, deleted and unknown ones among them', async () => {
    const deletedId = '019a9d5e-b5ee-7f70-8bac-9d0e1f2a3b4c';
    const unknownId = '019a9d5e-c6ff-7081-9cbd-0e1f2a3b4c5d';
    await pact()
      .addInteraction()
      .given('a task and one that was deleted')
      .uponReceiving('a request for both, and for a task that never existed')
      .withRequest('GET', '/tasks', (request) =>
        request.headers(headers).query({
          ids: is.fromProviderState(`\${id},\${deleted},${unknownId}`, `${taskId},${deletedId},${unknownId}`),
        }),
      )
      .willRespondWith(200, (response) =>
        response.jsonBody({
          data: [
            {
              id: is.fromProviderState('${id}', taskId),
              title: is.string('Paint the fence'),
              state: 'draft',
              creator_id: is.uuid(creatorId),
              assignee_id: null,
              due_at: null,
              readers: null,
              version: is.integer(1),
              updated_at: exampleInstant(is),
            },
          ],
          deleted: [is.fromProviderState('${deleted}', deletedId)],
        }),
      )
      .executeTest(async ({ url }) => {
        const answers = await withTasks(url, async (fetch) =>
          Promise.all([taskId, deletedId, unknownId].map(async (id) => await fetch(id, AbortSignal.timeout(5_000)))),
        );
        expect(answers.map(({ kind }) => kind)).to.deep.equal(['ok', 'gone', 'not_found']);
        expect(answers[0]).to.have.nested.property('value.title', 'Paint the fence');
      });
  });

  it('learns that a task was deleted', async () => {
    await pact()
      .addInteraction()
      .given('a task that was deleted')
      .uponReceiving('a request for the task')
      .withRequest('GET', path, (request) => request.headers(headers))
      .willRespondWith(410, (response) =>
        response
          .jsonBody({ code: 'gone', detail: is.string('The task was deleted.') })
          .headers({ 'content-type': is.regex('^application/problem[+]json(;.*)?$', 'application/problem+json') }),
      )
      .executeTest(async ({ url }) =>
        expect(await ask(url)).to.deep.equal({ kind: 'gone', detail: 'The task was deleted.' }),
      );
  });

  it('learns that a task does not exist', async () => {
    await pact()
      .addInteraction()
      .uponReceiving('a request for a task that never existed')
      .withRequest('GET', `/tasks/${taskId}`, (request) => request.headers(headers))
      .willRespondWith(404, (response) =>
        response
          .jsonBody({ code: 'not_found', detail: is.string('There is no task with this id.') })
          .headers({ 'content-type': is.regex('^application/problem[+]json(;.*)?$', 'application/problem+json') }),
      )
      .executeTest(async ({ url }) => expect(await ask(url)).to.deep.equal({ kind: 'not_found' }));
  });

  describe('for events', () => {
    let harness: PactHarness;
    const fact = { task_uuid: is.uuid(taskId), timestamp: exampleInstant(is), actor: is.uuid(creatorId) };
    const named = is.uuid(performerId);

    before(async () => {
      harness = await startPactHarness();
      harness.know({ id: creatorId, name: 'Mia' });
      harness.know({ id: performerId, name: 'Ann' });
      harness.knowTask({ id: taskId, title: 'Paint the fence', creatorId, version: 1, updatedAt: at });
    });
    after(async () => await harness.stop());

    type Example = { type: string; variant?: string; payload: Record<string, unknown>; notifies: [string, string] };

    async function receives({ type, variant, payload, notifies: [userId, what] }: Example): Promise<void> {
      const count = async () => (await harness.typesOf(userId)).filter((type) => type === what).length;
      const before = await count();
      await expectEvent({
        pact: pact(),
        is,
        type,
        ...(variant === undefined ? {} : { variant }),
        aggregateId: taskId,
        payload,
        async receive(message) {
          await harness.publish(message);
          await waitFor(async () => (await count()) === before + 1);
        },
      });
    }

    it('notifies the performer of an assignment by a user or by the system', async () => {
      const type = 'tasks.task.assigned';
      const notifies: [string, string] = [performerId, 'task.assigned'];
      await receives({ type, payload: { ...fact, assigned_to: named }, notifies });
      const bySystem = { ...fact, actor: null, assigned_to: named };
      await receives({ type, variant: 'by the system', payload: bySystem, notifies });
    });

    it('notifies the performer of an unassignment', async () => {
      const type = 'tasks.task.unassigned';
      const notifies: [string, string] = [performerId, 'task.unassigned'];
      await receives({ type, payload: { ...fact, unassigned_from: named }, notifies });
      const bySystem = { ...fact, actor: null, unassigned_from: named };
      await receives({ type, variant: 'by the system', payload: bySystem, notifies });
    });

    for (const what of ['started', 'completed']) {
      it(`notifies the creator that a task was ${what}`, async () => {
        await receives({
          type: `tasks.task.${what}`,
          payload: { ...fact, actor: named, assigned_to: named },
          notifies: [creatorId, `task.${what}`],
        });
      });
    }

    it('notifies the performer of a cancellation, and the creator if there was no performer', async () => {
      const type = 'tasks.task.cancelled';
      await receives({ type, payload: { ...fact, assigned_to: named }, notifies: [performerId, 'task.cancelled'] });
      await receives({
        type,
        variant: 'without a performer',
        payload: { ...fact, actor: is.uuid(performerId), assigned_to: null },
        notifies: [creatorId, 'task.cancelled'],
      });
    });

    it('notifies the performer of a task that is no longer blocked', async () => {
      const type = 'tasks.task.unblocked';
      const payload = { ...fact, assigned_to: named };
      await receives({ type, payload, notifies: [performerId, 'task.unblocked'] });
    });

    const due = {
      ...fact,
      actor: null,
      due_at: exampleInstant(is),
      due_time_zone: is.string('Europe/Berlin'),
      due_all_day: is.boolean(true),
    };

    it('reminds the performer of a due date', async () => {
      await receives({
        type: 'tasks.task.due_soon',
        payload: { ...due, assigned_to: named },
        notifies: [performerId, 'task.due_soon'],
      });
    });

    it('notifies the performer of an overdue task, and the creator if there is no performer', async () => {
      const type = 'tasks.task.overdue';
      await receives({ type, payload: { ...due, assigned_to: named }, notifies: [performerId, 'task.overdue'] });
      await receives({
        type,
        variant: 'without a performer',
        payload: { ...due, due_time_zone: null, due_all_day: false, assigned_to: null },
        notifies: [creatorId, 'task.overdue'],
      });
    });

    /** Each a comment of its own: no one is notified twice of one. */
    const comment = (place: 0 | 1 | 2) => ({
      ...{ ...fact, actor: named, comment_uuid: is.uuid(commentIds[place]), author: named },
      mentions: is.eachLike(is.uuid(creatorId)),
    });

    it('notifies those whom a comment mentions', async () => {
      const type = 'tasks.comment.added';
      await receives({ type, payload: comment(0), notifies: [creatorId, 'comment.mentioned'] });
    });

    it('notifies the creator of a comment without mentions', async () => {
      await receives({
        type: 'tasks.comment.added',
        variant: 'without mentions',
        payload: { ...comment(1), mentions: [] },
        notifies: [creatorId, 'comment.added'],
      });
    });

    it('notifies those whom a changed comment mentions for the first time', async () => {
      const payload = { ...comment(2), mentions_added: is.eachLike(is.uuid(creatorId)) };
      await receives({ type: 'tasks.comment.changed', payload, notifies: [creatorId, 'comment.mentioned'] });
    });
  });
});
