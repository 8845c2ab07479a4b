import type { ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import type { FindLink } from '../app/ports.ts';

const accountLink = z.object({
  email: z.string(),
  link: z.url(),
  expires_at: z.iso.datetime(),
  requested: z
    .object({
      at: z.iso.datetime(),
      by: z.string(),
      network: z.string().nullable(),
      browser: z.string().nullable(),
    })
    .optional(),
  deleted_unless_verified_by: z.iso.datetime().optional(),
});

/**
 * `GET /account_links/{id}` of Auth, which answers for one delivery only: that is the same in every attempt, also after one whose answer or process
 * was lost. The answer is a secret: nothing here, or above, logs it or keeps it.
 */
export function findLink(auth: ServiceClient): FindLink {
  return async (id, { deliveryId, signal }) => {
    const answer = await auth.get(`/account_links/${id}`, accountLink, { signal, idempotencyKey: deliveryId });
    switch (answer.kind) {
      case 'ok': {
        const { email, link, expires_at: expiresAt, requested, deleted_unless_verified_by: deleted } = answer.value;
        return {
          ...{ kind: 'link', email, link, expiresAt },
          ...(requested === undefined ? {} : { requested }),
          ...(deleted === undefined ? {} : { deletedUnlessVerifiedBy: deleted }),
        };
      }
      case 'gone':
        return { kind: 'ended', reason: answer.detail ?? 'The link does not work any more.' };
      case 'not_found':
        return { kind: 'ended', reason: 'Auth does not know the link.' };
      case 'unavailable':
        return answer;
    }
  };
}
