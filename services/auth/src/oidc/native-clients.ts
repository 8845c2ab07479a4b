import { Check } from 'oidc-provider/lib/helpers/interaction_policy/index.js';
import type { RegisteredClient } from '../app/ports/clients.ts';

/** Hosts that resolve to the machine itself: RFC 6761 section 6.3, RFC 6890. Browsers also treat 0.0.0.0 as the machine itself. */
const loopbackHost = /^((.+\.)?localhost\.?|127(\.\d+){3}|0\.0\.0\.0|\[::1?\]|\[::ffff:7f[\da-f]{2}:[\da-f]{1,4}\])$/;

function isLoopback(address: string): boolean {
  return loopbackHost.test(URL.parse(address)?.hostname ?? '');
}

/**
 * Whether a client is a native application (RFC 8252), whatever its registration says. Any program on a machine can claim the machine's own addresses
 * and schemes, so such an address doesn't identify a public client: the user must consent to each of its requests (section 8.6), and `prompt=none`
 * yields no code. A custom scheme makes any client native, since OpenID Connect Dynamic Client Registration 1.0 section 2 reserves such schemes for
 * native clients.
 */
export function isNative(client: RegisteredClient): boolean {
  if (client.application_type === 'native') return true;
  const addresses = [...client.redirect_uris, ...client.post_logout_redirect_uris];
  if (addresses.some((address) => !/^https?:/i.test(address))) return true;
  const isPublic = client.secret_hash === undefined && client.jwks === undefined;
  // native clients can't use https on a loopback address; `machineAddressCheck` covers clients that do so
  const hasLocalHttps = addresses.some((address) => /^https:/i.test(address) && isLoopback(address));
  return isPublic && !hasLocalHttps && client.redirect_uris.some(isLoopback);
}

/** Prompts for consent to each request of a public client with a loopback address, even if the client can't be registered as native. */
export const machineAddressCheck = new Check(
  'machine_address_prompt',
  'public clients with a loopback address require End-User interaction',
  'interaction_required',
  ({ oidc: { client, result } }) => {
    const isAtMachine = client?.clientAuthMethod === 'none' && client.redirectUris?.some(isLoopback) === true;
    return isAtMachine && result?.consent === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
  },
);
