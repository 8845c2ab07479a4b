import { AsyncLocalStorage } from 'node:async_hooks';

/** Fields that every log line of one piece of work carries. */
export type LogFields = {
  request_id?: string;
  /** What the caller calls its request; it proves nothing. */
  client_request_id?: string;
  user_id?: string;
  client_id?: string;
  message_id?: string;
  event?: string;
};

const storage = new AsyncLocalStorage<LogFields>();
const nothing: LogFields = Object.freeze({});

/** Runs `fn`; every line logged inside it, however deep or late, carries these fields beside those of the caller's context. */
export function withLogContext<T>(fields: LogFields, fn: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, fn);
}

/** Adds fields to the context of the work that is running, for what is known only later, such as the user of a request. */
export function addLogFields(fields: LogFields): void {
  const current = storage.getStore();
  if (current !== undefined) Object.assign(current, fields);
}

/** The fields of the work that is running; empty outside of any. */
export function logContext(): Readonly<LogFields> {
  return storage.getStore() ?? nothing;
}
