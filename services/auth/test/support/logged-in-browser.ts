import { expect } from 'chai';
import { pkce, type Browser, type Page } from './browser.ts';
import type { OidcHarness, Tokens } from './oidc-harness.ts';

/** The response of the authorization endpoint, from the URL to which the browser was sent. */
export function answerOf(page: Page): Record<string, string> {
  return Object.fromEntries(new URL(page.url).searchParams);
}

/** A browser with a user who logged in and consented this many seconds ago. */
export async function loggedInBrowser(harness: OidcHarness, secondsAgo = 0) {
  const browser = harness.browser();
  const tokens = await harness.tokens({ browser });
  const payload = "jsonb_set(payload::jsonb, '{loginTs}', to_jsonb((payload->>'loginTs')::bigint - $2))::json";
  await harness.database.db.pool.query(
    `UPDATE oidc_artifacts SET payload = ${payload} WHERE kind = 'Session' AND user_id = $1`,
    [tokens.person.id, secondsAgo],
  );
  return { browser, tokens, person: tokens.person };
}

/** The tokens that the portal gets once the user is no longer prompted. */
export async function silently(
  harness: OidcHarness,
  browser: Browser,
  parameters: Record<string, string | undefined>,
): Promise<Tokens> {
  const { verifier, challenge } = pkce();
  const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge, ...parameters }));
  const { code } = answerOf(page);
  expect(code, page.text).to.be.a('string');
  const answer = await harness.exchange({ code: code ?? '', verifier, page, person: await harness.person() });
  return answer.body as Tokens;
}
