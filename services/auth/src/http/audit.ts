import { instant, uuid, type authRoutes } from '@taskwire/contracts';
import type { HandlerOf } from '@taskwire/http-server';
import { decodeCursor } from '@taskwire/postgres';
import { z } from 'zod';
import type { AuditLog } from '../app/audit.ts';
import { page } from './lists.ts';

const afterEntry = z.tuple([instant, uuid]);

/** The audit log, latest first; what is added meanwhile moves no page. */
export function listAudit(log: AuditLog): HandlerOf<typeof authRoutes.listAudit> {
  return async ({ query: { cursor, limit, ...filter } }) => {
    const [at, id] = cursor === undefined ? [] : decodeCursor(afterEntry, cursor);
    const after = at === undefined || id === undefined ? undefined : { at, id };
    // one more than asked for tells whether there is a next page
    const found = await log.list({ ...filter, after, limit: limit + 1 });
    return { status: 200, body: page(found, limit, (entry) => [entry.at, entry.id]) };
  };
}
