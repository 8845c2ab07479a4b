import type { KoaContextWithOIDC } from 'oidc-provider';
import { Check, Prompt } from 'oidc-provider/lib/helpers/interaction_policy/index.js';
import type { KnownAccount } from './accounts.ts';
import { consentPolicy } from './consent.ts';

/** The name of the prompt, between log-in and consent, that asks the user to verify their address. */
export const verificationPrompt = 'verify_email';

/**
 * The prompts of a log-in. Where verified addresses are required, no client obtains any access on behalf of an account whose address is unverified,
 * whatever it was granted before: this prompt precedes both the consent page and a silent response (`prompt=none` is answered with
 * `interaction_required`).
 */
export function interactionPolicy({ requireVerifiedEmail }: { requireVerifiedEmail: boolean }) {
  const policy = consentPolicy();
  if (!requireVerifiedEmail) return policy;
  const check = new Check('email_not_verified', 'the e-mail address of the account is not verified', isUnverified);
  const afterLogin = policy.findIndex(({ name }) => name === 'login') + 1;
  policy.add(new Prompt({ name: verificationPrompt }, check), afterLogin);
  return policy;
}

function isUnverified({ oidc }: KoaContextWithOIDC): boolean {
  const account = oidc.account as KnownAccount | undefined;
  return account !== undefined && !account.subject.user.email_verified;
}
