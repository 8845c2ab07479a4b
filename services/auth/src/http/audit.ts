import type { authRoutes } from '@taskwire/contracts';
import { paged, type HandlerOf } from '@taskwire/http-server';
import type { Audit, AuditLog } from '../app/ports/audit.ts';
import { contextOf } from '../app/read-user.ts';
import { callerOf } from './caller.ts';

/**
 * Lists the audit log, latest first; new entries don't shift pages. A search is itself recorded with its user and filter, once for all of its pages.
 * A later page adds no entry if the same search was started within the last hour; this is checked because a cursor can be forged.
 */
export function listAudit(log: AuditLog & Audit): HandlerOf<typeof authRoutes.listAudit> {
  return async (request) => {
    const { cursor, limit, ...filter } = request.query;
    const reading = {
      ...contextOf(callerOf(request)),
      ...({ action: 'audit.read', subject: null, outcome: 'success' } as const),
      reason: filterText(filter),
    };
    const body = await paged(
      { name: 'audit', filter, positions: 'instant and id', cursor, limit },
      async (place) => await log.list(filter, place),
    );
    await (cursor === undefined ? log.record(reading) : log.recordOnce(reading, 'an hour ago'));
    return { status: 200, body };
  };
}

/**
 * The filter of a search. The log erases network addresses after some time and never contains account addresses, so the filter's text includes
 * neither.
 */
function filterText(filter: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(filter).flatMap(([field, value]) => {
    if (value === undefined) return [];
    return field === 'ip' || value.includes('@') ? [field] : [`${field}=${value}`];
  });
  return parts.join(', ') || 'everything';
}
