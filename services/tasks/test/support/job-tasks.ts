import { events } from '@taskwire/contracts';
import { expect } from 'chai';
import type { Answer, Task } from './api.ts';
import type { JobClient, JobsHarness } from './jobs-harness.ts';
import type { Person } from './tasks-harness.ts';

type History = { actions: string[]; events: string[]; versions: number };

/** Creates and observes tasks that jobs carry out. */
export function jobTaskTools(harness: JobsHarness, manager: Person) {
  const { token } = manager;
  const params = ({ id }: { id: string }) => ({ token, params: { id } });
  const headers = { 'if-match': '*' };
  return {
    post: async (body: Record<string, unknown>, more: { token?: string; headers?: Record<string, string> } = {}) =>
      await harness.call('createTask', { token, body: { title: 'Render the report', ...body }, ...more }),
    async create(client: JobClient, job: Record<string, unknown> = {}): Promise<Task & { job: { id: string } }> {
      const body = { kind: 'job', job: { queue: client.queue, kind: 'test', ...job } };
      const answer = await this.post(body);
      expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
      return answer.body as Task & { job: { id: string } };
    },
    move: async (task: { id: string }, state: string): Promise<Answer> =>
      await harness.call('transitionTask', { ...params(task), body: { state } }),
    assign: async (task: { id: string }, body: object): Promise<Answer> =>
      await harness.call('assignTask', { ...params(task), body }),
    remove: async (task: { id: string }): Promise<Answer> =>
      await harness.call('deleteTask', { ...params(task), headers }),
    cancelJob: async ({ job }: { job: { id: string } }): Promise<Answer> =>
      await harness.call('cancelJob', { token, params: { id: job.id } }),
    /** The states of the task and its job, also of a deleted task, such as `in_progress/leased`. */
    async states({ id }: { id: string }): Promise<string> {
      const [row] = await harness.sql<{ states: string }>(
        `SELECT concat_ws('/', task.state, job.state, CASE WHEN task.deleted_at IS NOT NULL THEN 'deleted' END) AS states
         FROM tasks task LEFT JOIN jobs job ON job.id = task.job_id WHERE task.id = $1`,
        [id],
      );
      return row?.states ?? '';
    },
    /** The activity of a task, its unpublished events, which follow their contracts, and its version. */
    async history({ id }: { id: string }): Promise<History> {
      const [row] = await harness.sql<{ actions: string[]; version: number; changes: number; assignee_id: unknown }>(
        `SELECT version, assignee_id, (SELECT array_agg(action ORDER BY seq) FROM task_activity WHERE task_id = tasks.id) AS actions,
           (SELECT count(DISTINCT created_at)::integer FROM task_activity WHERE task_id = tasks.id) AS changes
         FROM tasks WHERE id = $1`,
        [id],
      );
      expect(row, 'a version for each change').to.have.property('version', row?.changes);
      expect(row).to.have.property('assignee_id', null);
      const published = await harness.sql<{ type: keyof typeof events; payload: Record<string, unknown> }>(
        'SELECT type, payload FROM outbox WHERE aggregate_id = $1 ORDER BY id',
        [id],
      );
      const times = published.map(({ type, payload }) => {
        expect(events[type].strict().parse(payload)).to.deep.include({ task_uuid: id });
        if ('assigned_to' in payload) expect(payload['assigned_to']).to.equal(null);
        return String(payload['timestamp']);
      });
      expect(times).to.deep.equal([...new Set(times)].toSorted());
      const types = published.map(({ type }) => type.replace('tasks.task.', ''));
      return { actions: row?.actions ?? [], events: types, versions: row?.version ?? 0 };
    },
    /** Expects exactly these changes after the creation, each with one event and one activity entry. */
    async expectChanges(task: { id: string }, ...changes: string[]): Promise<void> {
      expect(await this.history(task)).to.deep.equal({
        actions: ['created', ...changes],
        events: ['created', 'changed', ...changes],
        versions: 1 + changes.length,
      });
    },
  };
}
