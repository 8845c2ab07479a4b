import { uuid, type authRoutes } from '@taskwire/contracts';
import type { HandlerOf } from '@taskwire/http-server';
import { cursorInstant, listCursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { Audit, AuditLog } from '../app/ports/audit.ts';
import { contextOf } from '../app/read-user.ts';
import { callerOf } from './caller.ts';
import { page } from './lists.ts';

const afterEntry = z.tuple([cursorInstant, uuid]);

/**
 * Lists the audit log, latest first; new entries don't shift pages. A search is itself recorded with its user and filter, once for all of its pages.
 * A later page adds no entry if the same search was begun within the hour; this is checked because a cursor can be forged.
 */
export function listAudit(log: AuditLog & Audit): HandlerOf<typeof authRoutes.listAudit> {
  return async (request) => {
    const { cursor, limit, ...filter } = request.query;
    const cursors = listCursors(afterEntry, { name: 'audit', filter });
    const [at, id] = cursors.decode(cursor) ?? [];
    const after = at === undefined || id === undefined ? undefined : { at, id };
    // one more than requested shows whether a next page exists
    const found = await log.list({ ...filter, after, limit: limit + 1 });
    const reading = {
      ...contextOf(callerOf(request)),
      ...({ action: 'audit.read', subject: null, outcome: 'success' } as const),
      reason: filterText(filter),
    };
    await (after === undefined ? log.record(reading) : log.recordOnce(reading, 'an hour ago'));
    return { status: 200, body: page(found, { limit, cursors, position: (entry) => [entry.at, entry.id] }) };
  };
}

/** The filter of a search. The log erases network addresses after a time and never contains account addresses, so neither is repeated here. */
function filterText(filter: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(filter).flatMap(([field, value]) => {
    if (value === undefined) return [];
    return field === 'ip' || value.includes('@') ? [field] : [`${field}=${value}`];
  });
  return parts.join(', ') || 'everything';
}
