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
 * Reads a link with Auth's `GET /account_links/{id}`. Auth returns a link for only one delivery. The delivery id is the same in every attempt, even
 * after an attempt whose response or process was lost. The response is a secret: neither this function nor its callers log or store it.
 */
export function findLink(auth: ServiceClient): FindLink {
  return async (id, { deliveryId, signal }) => {
    const response = await auth.get(`/account_links/${id}`, accountLink, { signal, idempotencyKey: deliveryId });
    switch (response.kind) {
      case 'ok': {
        const { email, link, expires_at: expiresAt, requested, deleted_unless_verified_by: deleted } = response.value;
        return {
          ...{ kind: 'link', email, link, expiresAt },
          requested,
          deletedUnlessVerifiedBy: deleted,
        };
      }
      case 'gone':
        return { kind: 'ended', reason: response.detail ?? 'The link is no longer valid.' };
      case 'not_found':
        return { kind: 'ended', reason: 'Auth does not know the link.' };
      case 'unavailable':
        return response;
    }
  };
}
