import { fieldProblem, type Problem } from '@taskwire/errors';

/** Knows the queues of the registered clients, which are Auth's. */
export type KnownQueues = {
  /**
   * Returns those of the names that no registered client has. A name is returned only if the clients were read after this call began, so the queue of
   * a client that was just registered never is. Returns none as long as no client has a queue, and while Auth is unavailable.
   */
  unknownAmong(names: readonly string[]): Promise<ReadonlySet<string>>;
};

/** A queue in a request, with the path of the field that names it. */
export type NamedQueue = { field: string; queue: string };

/**
 * Returns the problem `unknown_queue` for the first queue that no registered client has.
 *
 * Callers look before their transaction, because no transaction waits for another service, and throw the problem in it, because a repeated key gets
 * the first response even if the client was removed since.
 */
export async function findUnknownQueue(
  knownQueues: KnownQueues,
  named: readonly NamedQueue[],
): Promise<Problem | undefined> {
  const unknown = await knownQueues.unknownAmong([...new Set(named.map(({ queue }) => queue))]);
  const first = named.find(({ queue }) => unknown.has(queue));
  return first && unknownQueue(first);
}

function unknownQueue({ field, queue }: NamedQueue): Problem {
  const command = `npm run taskwire -- auth client add --id <id> --secret --grant urn:taskwire:tasks=jobs:work --queue ${queue}`;
  return fieldProblem('unknown_queue', {
    field,
    message: `is ${queue}, which is not the queue of a registered client`,
    detail: `Use the queue of a registered client, or register a worker for it: ${command}`,
  });
}
