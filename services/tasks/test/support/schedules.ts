import type { scheduleSchemas } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { z } from 'zod';
import type { Person, TasksHarness } from './tasks-harness.ts';

export type Schedule = z.output<typeof scheduleSchemas.schedule>;
export type Occurrence = z.output<typeof scheduleSchemas.occurrence>;

export type Row = { minutes: number; state: string; reason: string | null; task_id: string | null; revision: number };

/** Creates and observes schedules. Minutes are counted from the current one; negative numbers are in the past. */
export function scheduleTools(harness: TasksHarness) {
  const { pool } = harness.database.db;
  const minute = "date_trunc('minute', clock_timestamp())";

  async function ask(operation: Parameters<TasksHarness['call']>[0], given: Parameters<TasksHarness['call']>[1]) {
    const answer = await harness.call(operation, given);
    expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
    return answer.body;
  }

  return {
    ask,
    /** A schedule that runs every minute, whose next occurrence is at a given minute. */
    async everyMinute(person: Person, next: number, body: Record<string, unknown> = {}): Promise<Schedule> {
      const rule = { kind: 'cron', expression: '* * * * *', target: { kind: 'task', title: 'Water the plants' } };
      const schedule = (await ask('createSchedule', { token: person.token, body: { ...rule, ...body } })) as Schedule;
      await this.dueFrom(schedule, next);
      return schedule;
    },
    async dueFrom({ id }: { id: string }, next: number): Promise<void> {
      const text = `UPDATE schedules SET next_at = ${minute} + $2 * interval '1 minute', due_at = ${minute} + $2 * interval '1 minute' WHERE id = $1`;
      await query(pool, text, [id, next]);
    },
    /** Runs rounds until nothing is left to do. */
    async run(service = harness.service): Promise<void> {
      while ((await service.scheduler.tick()) === 'more');
    },
    async rows({ id }: { id: string }): Promise<Row[]> {
      const text = `
        SELECT round(extract(epoch FROM nominal_at - ${minute}) / 60)::integer AS minutes, state, reason, task_id, revision
        FROM schedule_occurrences WHERE schedule_id = $1 ORDER BY nominal_at`;
      return await query<Row>(pool, text, [id]);
    },
    /** The states of the occurrences, with the reasons of those that did not run. */
    async states(schedule: { id: string }): Promise<string[]> {
      return (await this.rows(schedule)).map(({ state, reason }) => reason ?? state);
    },
    async tasks({ id }: { id: string }): Promise<{ id: string; state: string; assignee_id: string | null }[]> {
      const text = `
        SELECT task.id, task.state, task.assignee_id FROM schedule_occurrences occurrence JOIN tasks task ON task.id = occurrence.task_id
        WHERE occurrence.schedule_id = $1 ORDER BY occurrence.nominal_at`;
      return await query(pool, text, [id]);
    },
    read: async (person: Person, { id }: { id: string }) =>
      (await ask('getSchedule', { token: person.token, params: { id } })) as Schedule,
  };
}
