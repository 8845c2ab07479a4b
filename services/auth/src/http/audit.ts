import { uuid, type authRoutes } from '@taskwire/contracts';
import type { HandlerOf } from '@taskwire/http-server';
import { cursorInstant, listCursors } from '@taskwire/postgres';
import { z } from 'zod';
import type { AuditLog } from '../app/audit.ts';
import { page } from './lists.ts';

const afterEntry = z.tuple([cursorInstant, uuid]);

/** The audit log, latest first; what is added meanwhile moves no page. */
export function listAudit(log: AuditLog): HandlerOf<typeof authRoutes.listAudit> {
  return async ({ query: { cursor, limit, ...filter } }) => {
    const cursors = listCursors(afterEntry, { name: 'audit', filter });
    const [at, id] = cursors.decode(cursor) ?? [];
    const after = at === undefined || id === undefined ? undefined : { at, id };
    // one more than asked for tells whether there is a next page
    const found = await log.list({ ...filter, after, limit: limit + 1 });
    return { status: 200, body: page(found, { limit, cursors, position: (entry) => [entry.at, entry.id] }) };
  };
}
