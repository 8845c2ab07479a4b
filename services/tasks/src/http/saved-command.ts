import { requireMatch, type IfMatch } from '@taskwire/http-server';

type Request<A> = { actor: A; params: { id: string }; ifMatch: IfMatch | undefined };

/** A command on the view or template in the path. */
export function savedCommand<A>({ actor, params: { id }, ifMatch }: Request<A>) {
  return { actor, id, requireVersion: (version: number) => requireMatch(ifMatch, version) };
}
