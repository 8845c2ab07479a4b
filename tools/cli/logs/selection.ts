import { fieldOf, type LogLine } from './log-line.ts';

/** The subject that the selected lines concern. The id of a task is a UUID in lower case. */
export type Subject = { kind: 'task' | 'request'; id: string };

/**
 * Selects the lines of one journey in two passes over the same lines. The first pass finds the requests and messages that concern the subject, since
 * not every line of a request names the task. Memory grows with these, not with the log.
 */
export function createSelection({ kind, id }: Subject) {
  const requests = new Set<string>();
  const messages = new Set<string>();

  function names(line: LogLine): boolean {
    if (kind === 'task') return isOfTask(line) || line.entry['aggregate_id'] === id || isInPath(line);
    // ids of Taskwire are in lower case, and those that callers send may be anything
    return fieldOf(line, 'request_id') === id.toLowerCase() || fieldOf(line, 'client_request_id') === id;
  }

  /** The gateway logs ids as they were sent, possibly in upper case. */
  function isOfTask(line: LogLine): boolean {
    const { task_ids: several } = line.entry;
    return fieldOf(line, 'task_id')?.toLowerCase() === id || (Array.isArray(several) && several.includes(id));
  }

  /** A task may also be named second in a path, such as the blocker of another one. */
  function isInPath(line: LogLine): boolean {
    return fieldOf(line, 'path')?.toLowerCase().split(/[/?]/).includes(id) === true;
  }

  return {
    /** First pass: every line. */
    note(line: LogLine): void {
      if (!names(line)) return;
      const request = fieldOf(line, 'request_id');
      if (request !== undefined) requests.add(request);
      const message = fieldOf(line, 'message_id');
      if (message !== undefined) messages.add(message);
    },
    /** Second pass: whether a line belongs to the journey. A request may concern many tasks; its lines about others do not belong to this one. */
    has(line: LogLine): boolean {
      if (names(line)) return true;
      const task = fieldOf(line, 'task_id');
      if (kind === 'task' && task !== undefined) return false;
      return requests.has(fieldOf(line, 'request_id') ?? '') || messages.has(fieldOf(line, 'message_id') ?? '');
    },
  };
}
