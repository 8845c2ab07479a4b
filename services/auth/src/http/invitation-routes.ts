import { authRoutes } from '@taskwire/contracts';
import { response, bind, paged, type BoundRoute } from '@taskwire/http-server';
import type { invite, Invitations, revokeInvitation } from '../app/invitations.ts';
import { callerOf } from './caller.ts';

/** The use cases behind the invitation routes. */
export type InvitationUseCases = {
  invite: ReturnType<typeof invite>;
  revokeInvitation: ReturnType<typeof revokeInvitation>;
};

export function invitationRoutes(app: InvitationUseCases, invitations: Invitations): BoundRoute[] {
  return [
    bind(authRoutes.createInvitation, async ({ body, ...request }) =>
      response(201, await app.invite(callerOf(request), body)),
    ),
    bind(authRoutes.listInvitations, async ({ query: { cursor, limit, state } }) => {
      const body = await paged(
        { name: 'invitations', filter: { state }, positions: 'id', cursor, limit },
        async (place) => await invitations.list({ state }, place),
      );
      return response(200, body);
    }),
    bind(authRoutes.revokeInvitation, async ({ params, ...request }) => {
      await app.revokeInvitation(callerOf(request), params.id);
      return response(204);
    }),
  ];
}
