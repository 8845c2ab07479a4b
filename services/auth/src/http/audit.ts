import { uuid, type authRoutes } from '@taskwire/contracts';
import type { HandlerOf } from '@taskwire/http-server';
import { cursorInstant, listCursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Audit, AuditLog } from '../app/audit.ts';
import { doneBy } from '../app/read-user.ts';
import { callerOf } from './caller.ts';
import { page } from './lists.ts';

const afterEntry = z.tuple([cursorInstant, uuid]);

/**
 * The audit log, latest first; what is added meanwhile moves no page. Who searched for what is an entry itself, once for all pages of a
 * search: a later page adds none when the same search was begun within the hour, since a cursor can be made up.
 */
export function listAudit(log: AuditLog & Audit): HandlerOf<typeof authRoutes.listAudit> {
  return async (request) => {
    const { cursor, limit, ...filter } = request.query;
    const cursors = listCursors(afterEntry, { name: 'audit', filter });
    const [at, id] = cursors.decode(cursor) ?? [];
    const after = at === undefined || id === undefined ? undefined : { at, id };
    // one more than asked for tells whether there is a next page
    const found = await log.list({ ...filter, after, limit: limit + 1 });
    const reading = {
      ...doneBy(callerOf(request)),
      ...({ action: 'audit.read', subject: null, outcome: 'success' } as const),
      reason: filterText(filter),
    };
    await (after === undefined ? log.record(reading) : log.recordOnce(reading, 'an hour ago'));
    return { status: 200, body: page(found, { limit, cursors, position: (entry) => [entry.at, entry.id] }) };
  };
}

/** What was searched for. The log forgets addresses of networks, and never has those of accounts; so neither is repeated here. */
function filterText(filter: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(filter).flatMap(([field, value]) => {
    if (value === undefined) return [];
    return field === 'ip' || value.includes('@') ? [field] : [`${field}=${value}`];
  });
  return parts.join(', ') || 'everything';
}
