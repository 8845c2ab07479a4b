import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page, queryTime, reasonText, searchText } from './schemas.ts';

const states = ['dead', 'replayed', 'dropped'] as const;

export const deadLetter = z.object({
  id: uuid,
  message_id: z.string().nullable().describe('as it came; not always a uuid'),
  handler: z.string().nullable().describe('null when the message never got to one'),
  type: z.string().nullable(),
  key: z.string().nullable().describe('the aggregate that the message is about'),
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

/** A dead letter with all its details. */
export const deadLetterDetail = deadLetter.extend({
  app_id: z.string().nullable(),
  correlation_id: z.string().nullable(),
  sent_at: instant.nullable(),
  headers: z.record(z.string(), z.unknown()),
  payload: z.string().describe('its first 256 KiB'),
  payload_encoding: z.enum(['utf8', 'base64']).describe('base64 where the payload is no text'),
  payload_bytes: z.int().describe('the size of the whole payload'),
  errors: z
    .array(z.object({ at: instant, attempt: z.int(), error: z.string() }))
    .describe('oldest first; of many the first and the latest'),
  audit: z
    .array(z.object({ action: z.enum(['replay', 'drop']), actor: z.string(), reason: z.string().nullable(), at: instant }))
    .describe('who settled it'),
});

/** Criteria for selecting dead letters; an absent criterion matches all. */
const criteria = {
  key: searchText.optional().describe('the aggregate that the message is about'),
  type: searchText.optional().describe('a type, or a pattern: * is one word, # any number of them'),
  reason: searchText.optional().describe('the code, or a part of the error; case does not matter'),
  message_id: searchText.optional(),
  from: queryTime.optional().describe('dead at this time or later'),
  until: queryTime.optional().describe('dead at this time or earlier'),
};

/** Selects the dead letters to settle: those that match and are still dead. */
export const deadLetterFilter = z.strictObject(criteria);

/** Selects the dead letters to list. */
export const deadLetterQuery = z.strictObject({
  ...page,
  ...criteria,
  state: z.enum([...states, 'any']).default('dead').describe('dead when left out'),
});

const settlementReason = reasonText.describe('why, for the audit');

const access = { kind: 'user', scopes: ['admin'], roles: ['admin'] } as const;
const tag = 'Dead letters';

/**
 * The operations on the dead letters of a service. Each service has them under its own name, so that operation ids and paths are unique across all
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
      summary: 'Search the messages that failed for good, latest first',
      description: 'Admins.',
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
      description: 'Admins.',
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
      summary: 'Have a message tried again',
      description: 'Admins. It is tried like a new one, in its place within its key; if it fails for good again, that is a new dead letter.',
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
      summary: 'Have many messages tried again, in the order in which they came',
      description:
        'Admins. At most `limit` in one request; `more` says whether there are others. Send the returned `until` in the filter of the next request; otherwise messages that have failed again are replayed too.',
      tag,
      access,
      body: z.strictObject({
        filter: deadLetterFilter,
        reason: settlementReason.optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
      responses: { 200: z.object({
          replayed: z.int(),
          more: z.boolean().describe('there are others'),
          until: instant.describe('what died later was left alone; give it in the filter of the next request'),
        }) },
    }),
    dropDeadLetter: defineRoute({
      method: 'post',
      path: `${path}/{id}/drop`,
      operationId: named('drop'),
      summary: 'Give up a message for ever',
      description: 'Admins who logged in within the last five minutes. What waits behind it goes on; the dead letter stays readable.',
      tag,
      access: { ...access, recentLogin: true },
      params: idParams,
      body: z.strictObject({ reason: settlementReason }),
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
