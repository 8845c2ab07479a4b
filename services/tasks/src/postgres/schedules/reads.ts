import { keyset, pageOf, query, type Keyset, type Queryable } from '@taskwire/postgres';
import type { DatabaseClock, ScheduleReads } from '../../app/schedules/ports.ts';
import { instantOf, occurrenceColumns, scheduleColumns, type OccurrenceRecord, type ScheduleRow } from './rows.ts';

const latestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'schedule.id', type: 'uuid' } } };

const readSchedule = `SELECT ${scheduleColumns} FROM schedules schedule WHERE schedule.id = $1 AND schedule.deleted_at IS NULL`;

const countSchedules = `SELECT count(*)::integer AS count FROM schedules WHERE creator_id = $1 AND deleted_at IS NULL`;

const listOccurrences = `
  SELECT ${occurrenceColumns} FROM schedule_occurrences occurrence
  WHERE occurrence.schedule_id = $1 AND occurrence.nominal_at BETWEEN ${instantOf('$2')} AND ${instantOf('$3')}
  ORDER BY occurrence.nominal_at LIMIT $4`;

/** The read queries on schedules and their occurrences. */
export function scheduleReads(db: Queryable): ScheduleReads {
  return {
    readSchedule: async (id) => (await query<ScheduleRow>(db, readSchedule, [id]))[0],

    async listSchedules(creatorId, place) {
      const values = creatorId === undefined ? [] : [creatorId];
      const page = keyset(latestFirst, place, values.length + 1);
      const ofCreator = creatorId === undefined ? '' : 'AND schedule.creator_id = $1';
      const text = `
        SELECT ${scheduleColumns} FROM schedules schedule
        WHERE schedule.deleted_at IS NULL ${ofCreator} AND ${page.condition} ${page.orderAndLimit}`;
      return pageOf(await query<ScheduleRow>(db, text, [...values, ...page.values]), latestFirst, place.limit);
    },

    async countSchedules(creatorId) {
      const [row] = await query<{ count: number }>(db, countSchedules, [creatorId]);
      return row?.count ?? 0;
    },

    listOccurrences: async (scheduleId, { from, until }, { after, limit }, tx) => {
      // the instant comes from the client's cursor, and may exceed PostgreSQL's range
      const start = after === undefined ? from : Math.min(Math.max(from, Number(after[0]) + 1), until + 1);
      return await query<OccurrenceRecord>(tx ?? db, listOccurrences, [scheduleId, start, until, limit]);
    },
  };
}

export function databaseClock(db: Queryable): DatabaseClock {
  return {
    async now(tx) {
      const text = 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now';
      const [row] = await query<{ now: number }>(tx ?? db, text);
      if (row === undefined) throw new Error('the database did not return its time');
      return row.now;
    },
  };
}
