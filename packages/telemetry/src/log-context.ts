import { AsyncLocalStorage } from 'node:async_hooks';

export const arrivedAt = Symbol('arrivedAt');
const failure = Symbol('failure');

/**
 * Fields that are added to every log line of one piece of work, unless the line has its own field of the same name. No value is undefined, because it
 * would hide the field of the work that this work is a part of.
 */
export type LogFields = {
  request_id?: string;
  /** The caller's own id of its request, unverified. */
  client_request_id?: string;
  /** The caller of a request, or the user who caused or receives what the line is about. */
  user_id?: string;
  /** The user whom a caller's request is about. */
  target_user_id?: string;
  client_id?: string;
  message_id?: string;
  event?: string;
  task_id?: string;
  /** The tasks of work on several tasks. */
  task_ids?: readonly string[];
  comment_id?: string;
  job_id?: string;
  schedule_id?: string;
  /** When the request of this work arrived, on this process's monotonic clock. A symbol, so no log line contains it. */
  [arrivedAt]?: number;
  /** The error that made a protocol's own response fail. */
  [failure]?: unknown;
};

const storage = new AsyncLocalStorage<LogFields>();
const nothing: LogFields = Object.freeze({});

/** Runs `fn`. Every line logged inside it, at any depth and at any later time, has these fields in addition to those of the caller's context. */
export function withLogContext<T>(fields: LogFields, fn: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, fn);
}

/** Adds fields to the context of the current work, for values that become known later, such as the user of a request. */
export function addLogFields(fields: LogFields): void {
  const current = storage.getStore();
  if (current !== undefined) Object.assign(current, fields);
}

/** Adds a task to those that the current work is about, for work that finds its tasks one by one. */
export function addLogTask(id: string): void {
  const { task_ids: ids = [] } = logContext();
  if (!ids.includes(id)) addLogFields({ task_ids: [...ids, id] });
}

/** Returns the microseconds since the request that caused this work arrived; undefined if no request of this process caused it. */
export function requestAgeMicros(work: Readonly<LogFields>): number | undefined {
  const since = work[arrivedAt];
  return since === undefined ? undefined : Math.round((performance.now() - since) * 1_000);
}

/** Notes the error of the current request, for protocols that send their own responses, so that the error report of the response contains it. */
export function noteFailure(error: unknown): void {
  addLogFields({ [failure]: error });
}

/** Returns the noted error of the current request. */
export function notedFailure(): unknown {
  return storage.getStore()?.[failure];
}

/** Returns the fields of the current work; empty outside any work. */
export function logContext(): Readonly<LogFields> {
  return storage.getStore() ?? nothing;
}
