import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ServiceClients } from '../app/ports.ts';

/** One entry of M2M_CLIENTS. */
export type ConfiguredClient = {
  client_id: string;
  client_secret: string;
  grants: readonly { audience: string; scopes: readonly string[] }[];
};

/** The services that the configuration names. Secrets are kept and compared as digests, which all have one length. */
export function createServiceClients(configured: readonly ConfiguredClient[]): ServiceClients {
  const clients = new Map(
    configured.map(({ client_id: clientId, client_secret: secret, grants }) => [
      clientId,
      { client: { clientId, grants }, digest: digest(secret) },
    ]),
  );
  const nobodys = randomBytes(32);
  return {
    authenticate(clientId, clientSecret) {
      const known = clients.get(clientId);
      const equal = timingSafeEqual(digest(clientSecret), known?.digest ?? nobodys);
      return equal ? known?.client : undefined;
    },
  };
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
