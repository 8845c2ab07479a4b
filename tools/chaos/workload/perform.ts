import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import type { Answer, Attempt, Operation } from '../evidence.ts';
import type { Intent, Twist } from './intent.ts';
import { requestOf, type WireRequest } from './requests.ts';
import type { KnownState } from './actors.ts';

/** The result of one attempt, with the response body, if any. */
type Try = Attempt & { body?: Answer };

export type Caller = {
  /** The gateway's URL. */
  url: string;
  known: KnownState;
  /** Milliseconds since the start of the traffic. */
  now(): number;
  /** Aborted when no further attempts should be made. */
  ending: AbortSignal;
  /**
   * Whether a change without an Idempotency-Key is sent again if it got no response. Such a change sets values, so a second effect would only create
   * another version.
   */
  repeats: 'keyed changes' | 'every change';
  /** How long a user waits for a response, in milliseconds. */
  patienceMs: number;
};

/** The maximum number of attempts: while a user waits for an unavailable service, the user does nothing else. */
const maxTries = 4;
const pausesMs = [150, 500, 1_500];

/**
 * Executes an intent, with retries until its outcome is known, and returns the operation with its outcome. Returns undefined if the intent is not
 * possible, or no longer possible.
 */
export async function perform(caller: Caller, n: number, intent: Intent, twist: Twist): Promise<Operation | undefined> {
  const request = requestOf(intent, caller.known);
  if (request === undefined) return undefined;
  const at = caller.now();
  const tries: Try[] = [];
  const firstPatience = twist.kind === 'impatient' ? twist.ms : caller.patienceMs;
  if (twist.kind === 'twice_at_once' && request.repeatable) {
    tries.push(...(await Promise.all([send(caller, request), send(caller, request)])));
  } else tries.push(await send(caller, request, firstPatience));

  while (wantsAnother(caller, request, tries) && tries.length < maxTries && !caller.ending.aborted) {
    await delay(pausesMs[tries.length - 1], undefined, { signal: caller.ending }).catch(() => undefined);
    tries.push(await send(caller, request));
  }
  if (twist.kind === 'again' && request.headers['idempotency-key'] !== undefined && tries.some(isAcknowledged)) {
    tries.push(await send(caller, request));
  }
  return { n, at, intent, actorId: request.as?.id ?? null, subjectId: request.subjectId, ...conclude(intent, tries) };
}

/** Determines the outcome from all tries. */
export function conclude(
  intent: Intent,
  tries: readonly Try[],
): Pick<Operation, 'attempts' | 'outcome' | 'answer' | 'replays'> {
  const attempts = tries.map(({ body: _body, ...attempt }) => attempt);
  const [first, ...others] = tries.filter(isAcknowledged);
  if (first !== undefined) {
    const replays = others.flatMap(({ body }) => (body === undefined ? [] : [body]));
    return { attempts, outcome: 'acknowledged', ...(first.body && { answer: first.body }), replays };
  }
  const isUnknown = tries.some(isOpen);
  // the address is taken, which only the earlier attempt without a response can have caused
  const makesUser = intent.kind === 'register' || intent.kind === 'create_user';
  if (isUnknown && makesUser && tries.some(({ problem }) => problem === 'email_taken')) {
    return { attempts, outcome: 'acknowledged', replays: [] };
  }
  // if a process dies while it handles a DELETE, the gateway may repeat the request (RFC 9110, 9.2.2) and pass on the second response: the object is
  // gone (for users who deleted themselves, also their access), or a fault responds in place of the service
  const deletes = intent.kind === 'delete_user' || intent.kind === 'delete_task' || intent.kind === 'delete_comment';
  const isSecond = deletes && tries.some(({ status }) => status !== null && [401, 404, 410, 429].includes(status));
  return { attempts, outcome: isUnknown || isSecond ? 'unknown' : 'refused', replays: [] };
}

function wantsAnother({ repeats }: Caller, { repeatable }: WireRequest, tries: readonly Try[]): boolean {
  const last = tries.at(-1);
  const mayRepeat = repeatable || (repeats === 'every change' && tries.length === 1);
  if (!mayRepeat || last === undefined || tries.some(isAcknowledged)) return false;
  return isOpen(last) || last.status === 429;
}

function isAcknowledged({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** A 5xx guarantees nothing: the change may have been committed before the failure. */
function isOpen({ status, problem }: Attempt): boolean {
  return status === null || status >= 500 || status === 408 || problem === 'idempotency_in_progress';
}

async function send({ url, now, patienceMs }: Caller, request: WireRequest, patience = patienceMs): Promise<Try> {
  const began = now();
  try {
    const response = await fetch(`${url}${request.path}`, {
      method: request.method,
      headers: {
        ...request.headers,
        'x-forwarded-for': request.ip,
        ...(request.body && { 'content-type': 'application/json' }),
        ...(request.as?.token !== undefined && { authorization: `Bearer ${request.as.token}` }),
      },
      ...(request.body && { body: JSON.stringify(request.body) }),
      signal: AbortSignal.timeout(patience),
    });
    const text = await response.text();
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    const attempt = { began, ended: now(), status: response.status };
    if (response.status >= 400) return { ...attempt, problem: String(body['code']) };
    return { ...attempt, body: trimmed(body) };
  } catch (error) {
    return { began, ended: now(), status: null, error: errorText(error) };
  }
}

const kept = [
  'id',
  'title',
  'body',
  'state',
  'creator_id',
  'assignee_id',
  'version',
  'project_id',
  'created_at',
  'updated_at',
  'email',
  'name',
  'role',
];
const alsoKept = ['position', 'open', 'reassigned', 'access_token', 'user'];

/** Reduces a body to the fields that the checker and the workload read, and a list to its ids and versions. */
function trimmed(body: Record<string, unknown>): Answer {
  const { data, next_cursor } = body as { data?: unknown; next_cursor?: string | null };
  if (Array.isArray(data) && data.some((item: object) => 'status' in item)) {
    const results = data as { status: number; body?: { id: string } }[];
    return { ids: results.map(({ body: task }) => task?.id ?? ''), statuses: results.map(({ status }) => status) };
  }
  if (Array.isArray(data) && data.some((item: object) => 'action' in item))
    return { entryTimes: (data as { created_at: string }[]).map(({ created_at }) => created_at) };
  if (Array.isArray(data)) {
    const items = data as { id: string; version?: number }[];
    const versions = items.flatMap(({ version }) => version ?? []);
    return {
      ids: items.map(({ id }) => id),
      ...(versions.length > 0 && { versions }),
      ...(next_cursor !== undefined && { next_cursor }),
    };
  }
  const fields = [...kept, ...alsoKept].filter((name) => name in body);
  return Object.fromEntries(fields.map((name) => [name, body[name]]));
}
