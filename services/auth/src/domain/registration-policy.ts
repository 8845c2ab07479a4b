import { problem } from '@taskwire/errors';
import { domainOf } from './email-address.ts';

/** The rules for registration. `domains` applies in the mode `domains`: in lower case and Punycode, and compared as a whole. */
export type RegistrationPolicy = { mode: 'open' | 'domains' | 'invited' | 'off'; domains: readonly string[] };

/**
 * Requires an accepted domain for an address that users choose for themselves, including changes of the address. Otherwise a caller could register an
 * address of the domain without owning it, and then change and verify another address. @throws Problem `email_domain_not_accepted`.
 */
export function requireAcceptedDomain({ mode, domains }: RegistrationPolicy, email: string): void {
  if (mode !== 'domains' || domains.includes(domainOf(email))) return;
  throw problem('email_domain_not_accepted', 'Use an address of your organisation, or ask an administrator.', {
    errors: [{ field: 'email', code: 'email_domain_not_accepted', message: 'has a domain that is not accepted' }],
  });
}

/** @throws Problem `registration_closed`. */
export function requireOpen({ mode }: RegistrationPolicy): void {
  if (mode === 'off') throw problem('registration_closed', 'Only administrators can create accounts here.');
}
