import { authRoutes, uuid } from '@taskwire/contracts';
import { answer, bind, type BoundRoute } from '@taskwire/http-server';
import { listCursors } from '@taskwire/postgres';
import type { invite, Invitations, revokeInvitation } from '../app/invitations.ts';
import { callerOf } from './caller.ts';
import { page } from './lists.ts';

/** The use cases behind the invitation routes. */
export type InvitationUseCases = {
  invite: ReturnType<typeof invite>;
  revokeInvitation: ReturnType<typeof revokeInvitation>;
};

export function invitationRoutes(app: InvitationUseCases, invitations: Invitations): BoundRoute[] {
  return [
    bind(authRoutes.createInvitation, async ({ body, ...request }) =>
      answer(201, await app.invite(callerOf(request), body)),
    ),
    bind(authRoutes.listInvitations, async ({ query: { cursor, limit, state } }) => {
      const cursors = listCursors(uuid, { name: 'invitations', filter: { state } });
      // one more than requested shows whether a next page exists
      const found = await invitations.list({ state, after: cursors.decode(cursor), limit: limit + 1 });
      return answer(200, page(found, { limit, cursors, position: ({ id }) => id }));
    }),
    bind(authRoutes.revokeInvitation, async ({ params, ...request }) => {
      await app.revokeInvitation(callerOf(request), params.id);
      return answer(204);
    }),
  ];
}
