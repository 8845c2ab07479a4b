import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { givenInstant, idParams, listOf, page, reasonText, searchText } from './schemas.ts';

const states = ['dead', 'replayed', 'dropped'] as const;

export const deadLetter = z.object({
  id: uuid,
  message_id: z.string().nullable().describe('as received; not necessarily a UUID'),
  handler: z.string().nullable().describe('null if the message never reached a handler'),
  type: z.string().nullable(),
  key: z.string().nullable().describe('the aggregate of the message'),
  reason: z.string().describe('a code, for example bad_schema, not_json, attempts_exhausted, refused, crashed, unavailable'),
  error: z.string(),
  attempts: z.int(),
  state: z.enum(states),
  received_at: instant,
  dead_at: instant,
  settled_at: instant.nullable(),
  settled_by: z.string().nullable().describe('user:<uuid>, or os:<login>@<host> for the command line'),
  settled_reason: z.string().nullable(),
});

/** A dead letter with its headers, payload, errors and audit. */
export const deadLetterDetail = deadLetter.extend({
  app_id: z.string().nullable(),
  correlation_id: z.string().nullable(),
  sent_at: instant.nullable(),
  headers: z.record(z.string(), z.unknown()),
  payload: z.string().describe('the first 256 KiB'),
  payload_encoding: z.enum(['utf8', 'base64']).describe('base64 if the payload is not text'),
  payload_bytes: z.int().describe('the size of the whole payload'),
  errors: z
    .array(z.object({ at: instant, attempt: z.int(), error: z.string() }))
    .describe('oldest first; if there are many, only the first and the latest'),
  audit: z
    .array(z.object({ action: z.enum(['replay', 'drop']), actor: z.string(), reason: z.string().nullable(), at: instant }))
    .describe('the replays and drops, with their actors'),
});

/** Criteria for selecting dead letters; an absent criterion matches every dead letter. */
const criteria = {
  key: searchText.optional().describe('the aggregate of the message'),
  type: searchText.optional().describe('a type, or a pattern: * matches one word, # any number of words'),
  reason: searchText.optional().describe('the code, or part of the error; case-insensitive'),
  message_id: searchText.optional(),
  from: givenInstant.optional().describe('dead-lettered at this time or later'),
  until: givenInstant.optional().describe('dead-lettered at this time or earlier'),
};

/** Selects the dead letters to resolve: those that match and are still dead. */
export const deadLetterFilter = z.strictObject(criteria);

/** Selects the dead letters to list. */
export const deadLetterQuery = z.strictObject({
  ...page,
  ...criteria,
  state: z.enum([...states, 'any']).default('dead').describe('the default is dead'),
});

const resolutionReason = reasonText.describe('the reason, recorded in the audit');

const access = { kind: 'user', scopes: ['admin'], roles: ['admin'] } as const;
const tag = 'Dead letters';

/**
 * The operations on the dead letters of a service. The service's name is part of each operation id and path, so that they are unique across all
 * documents.
 */
export function deadLetterRoutes(service: 'tasks' | 'notifications') {
  const path = `/api/v1/admin/dead_letters/${service}`;
  const named = (verb: string) => `${verb}${service[0]?.toUpperCase()}${service.slice(1)}DeadLetter`;
  return {
    listDeadLetters: defineRoute({
      method: 'get',
      path,
      operationId: `${named('list')}s`,
      summary: 'Search dead letters, latest first',
      tag,
      access,
      query: deadLetterQuery,
      responses: { 200: listOf(deadLetter) },
      problems: ['bad_cursor'],
    }),
    getDeadLetter: defineRoute({
      method: 'get',
      path: `${path}/{id}`,
      operationId: named('get'),
      summary: 'Read a dead letter with its headers, payload, errors and audit',
      tag,
      access,
      params: idParams,
      responses: { 200: deadLetterDetail },
      problems: ['not_found'],
    }),
    replayDeadLetter: defineRoute({
      method: 'post',
      path: `${path}/{id}/replay`,
      operationId: named('replay'),
      summary: 'Replay a dead letter',
      description: 'The message is handled like a new one, in its original position within its key. If it fails permanently again, it becomes a new dead letter.',
      tag,
      access,
      params: idParams,
      responses: { 200: deadLetterDetail },
      problems: ['not_found', 'conflict'],
    }),
    replayDeadLetters: defineRoute({
      method: 'post',
      path: `${path}/replay`,
      operationId: `${named('replay')}s`,
      summary: 'Replay many dead letters, in the order in which they were received',
      description:
        'For admins. A request replays at most `limit` dead letters; `more` is true if others match. Send the returned `until` in the filter of the next request; otherwise messages that have failed again are replayed too.',
      tag,
      access,
      body: z.strictObject({
        filter: deadLetterFilter,
        reason: resolutionReason.optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
      responses: { 200: z.object({
          replayed: z.int(),
          more: z.boolean().describe('whether other dead letters match'),
          until: instant.describe('messages dead-lettered later were not replayed; send this in the filter of the next request'),
        }) },
    }),
    dropDeadLetter: defineRoute({
      method: 'post',
      path: `${path}/{id}/drop`,
      operationId: named('drop'),
      summary: 'Drop a dead letter permanently',
      description: 'Later messages of its key are handled. The dead letter stays readable.',
      tag,
      access: { ...access, recentLogin: true },
      params: idParams,
      body: z.strictObject({ reason: resolutionReason }),
      responses: { 200: deadLetterDetail },
      problems: ['not_found', 'conflict'],
    }),
  };
}

export type DeadLetter = z.output<typeof deadLetter>;
export type DeadLetterDetail = z.output<typeof deadLetterDetail>;
export type DeadLetterFilter = z.output<typeof deadLetterFilter>;
export type DeadLetterQuery = z.output<typeof deadLetterQuery>;
export type DeadLetterRoutes = ReturnType<typeof deadLetterRoutes>;
