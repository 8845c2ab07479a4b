import { Problem, problem } from '@taskwire/errors';
import type { Actor } from './access/actor.ts';
import { requireAccess } from './access/requirements.ts';
import { PreserializedJson, type BoundRoute } from './bind.ts';
import { parseInput } from './input.ts';

/** The operation that reads the resource of a conditional operation: the GET of its own path, or of the nearest path above it. */
export function readingOf({ route }: BoundRoute, routes: readonly BoundRoute[]): BoundRoute | undefined {
  if (route.ifMatch === undefined) return undefined;
  const above = routes.filter(
    ({ route: { method, path } }) => method === 'get' && `${route.path}/`.startsWith(`${path}/`) && path.endsWith('}'),
  );
  return above.toSorted((a, b) => b.route.path.length - a.route.path.length)[0];
}

/**
 * Adds the current representation to a failed precondition, so that a client can merge without another request. The problem stays as it is, with the
 * version alone, if the caller may not read the resource, or if it cannot be read now.
 */
export async function withCurrent(
  error: unknown,
  reading: BoundRoute | undefined,
  input: { actor: Actor | undefined; params: Readonly<Record<string, string>> },
): Promise<unknown> {
  if (!(error instanceof Problem) || error.code !== 'precondition_failed') return error;
  if (reading === undefined || input.actor === undefined) return error;
  try {
    requireAccess(reading.route.access, input.actor);
    const params = reading.route.params && parseInput(reading.route.params, input.params);
    const query = reading.route.query && parseInput(reading.route.query, {});
    const { body } = await reading.handle({ ...input, params, query } as never);
    const current: unknown = body instanceof PreserializedJson ? JSON.parse(body.text) : body;
    return problem(error.code, error.detail, { headers: error.headers, members: { current }, cause: error.cause });
  } catch {
    return error;
  }
}
