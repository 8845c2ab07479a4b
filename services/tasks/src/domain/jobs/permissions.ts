import { problem } from '@taskwire/errors';
import type { Actor } from '../task.ts';

/** A party that enqueues or carries out jobs: a user, whose role the contract has checked, or a service with its registered queues. */
export type JobActor = { kind: 'user'; id: string } | { kind: 'service'; clientId: string; queues: readonly string[] };

/** Whether the actor may use this queue. Users may use all of them. */
export function hasQueue(actor: JobActor, queue: string): boolean {
  return actor.kind === 'user' || actor.queues.includes(queue);
}

/** @throws Problem `forbidden` that names the first queue which the actor doesn't have. */
export function requireQueues(actor: JobActor, queues: readonly string[]): void {
  const missing = queues.find((queue) => !hasQueue(actor, queue));
  if (missing !== undefined) {
    throw problem('forbidden', `This client is not registered for the queue ${missing}.`);
  }
}

/** Requires that a user may enqueue jobs, for a task of kind `job` or a schedule. @throws Problem `forbidden`. */
export function requireJobSender({ role }: Pick<Actor, 'role'>): void {
  if (role === 'member') throw problem('forbidden', 'Only managers and admins can enqueue jobs.');
}

/** Names the actor in the job that it enqueued. */
export function actorName(actor: JobActor): string {
  return actor.kind === 'user' ? `user:${actor.id}` : `client:${actor.clientId}`;
}
