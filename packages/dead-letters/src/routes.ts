import type { DeadLetterDetail, DeadLetterRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { response, bind, type BoundRoute } from '@taskwire/http-server';
import type { DeadLetters } from './dead-letters.ts';
import type { ResolveResult } from './resolve.ts';

/** Binds a service's operations on its dead letters. In the audit log the caller is `user:<uuid>`. */
export function bindDeadLetters(routes: DeadLetterRoutes, deadLetters: DeadLetters): BoundRoute[] {
  async function read(id: string): Promise<DeadLetterDetail> {
    const found = await deadLetters.read(id);
    if (found === undefined) throw problem('not_found', 'There is no dead letter with this id.');
    return found;
  }

  async function afterResolving(id: string, result: ResolveResult): Promise<DeadLetterDetail> {
    const letter = await read(id);
    if (result === 'conflict')
      throw problem('conflict', `This dead letter has already been ${letter.state} by ${letter.settled_by}.`);
    return letter;
  }

  return [
    bind(routes.listDeadLetters, async ({ query }) => response(200, await deadLetters.search(query))),
    bind(routes.getDeadLetter, async ({ params }) => response(200, await read(params.id))),
    bind(routes.replayDeadLetters, async ({ actor, body: { filter, limit, reason } }) => {
      const { resolved, ...rest } = await deadLetters.replayBatch(
        { filter, limit },
        { actor: `user:${actor.id}`, reason },
      );
      return response(200, { replayed: resolved, ...rest });
    }),
    bind(routes.replayDeadLetter, async ({ actor, params: { id } }) =>
      response(200, await afterResolving(id, await deadLetters.replay(id, { actor: `user:${actor.id}` }))),
    ),
    bind(routes.dropDeadLetter, async ({ actor, params: { id }, body: { reason } }) =>
      response(200, await afterResolving(id, await deadLetters.drop(id, { actor: `user:${actor.id}`, reason }))),
    ),
  ];
}
