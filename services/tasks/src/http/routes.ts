import { tasksRoutes } from '@taskwire/contracts';
import { bindDeadLetters, type DeadLetters } from '@taskwire/dead-letters';
import type { BoundRoute } from '@taskwire/http-server';
import { readRoutes } from './reads.ts';
import { writeRoutes, type WritePorts } from './writes.ts';

/** The HTTP API of Tasks. */
export function routes(ports: WritePorts & { deadLetters: DeadLetters }): BoundRoute[] {
  return [...readRoutes(ports.tasks), ...writeRoutes(ports), ...bindDeadLetters(tasksRoutes, ports.deadLetters)];
}
