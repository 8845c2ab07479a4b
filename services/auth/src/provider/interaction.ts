import { createHmac } from 'node:crypto';
import type { OwnPath } from '@taskwire/http-server';
import { problem, type Problem } from '@taskwire/errors';
import type { Provider } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Audit } from '../app/audit.ts';
import type { Authenticate } from '../app/authenticate.ts';
import type { DeviceProofs } from '../app/device-proofs.ts';
import type { Sessions, User } from '../app/ports.ts';
import type { Providers } from './provider.ts';
import { hasToken, readPostedForm } from './form.ts';
import { requestOrigin } from './origin.ts';
import { consentPage } from './pages/consent-page.ts';
import { errorDocument } from './pages/error-page.ts';
import { pageHeaders } from './pages/html.ts';
import { loginPage } from './pages/login-page.ts';
import { verificationPage } from './pages/verification-page.ts';
import { refusalOf, refusalText } from './refusal.ts';
import { verificationPrompt } from './verification-prompt.ts';

export type InteractionOptions = {
  issuer: string;
  providers: Providers;
  authenticate: Authenticate;
  sessions: Sessions;
  audit: Audit;
  deviceProofs: DeviceProofs;
  /** Forms carry a token made with it. */
  formKey: Buffer;
};

type Request = Parameters<OwnPath['handle']>[0];
type Response = Parameters<OwnPath['handle']>[1];
type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;
type Step = { provider: Provider; interaction: Interaction; request: Request; response: Response };

/**
 * The pages between a client's request and its answer: log-in and consent. Which of them is shown, the provider decides. An interaction
 * belongs to the browser that has its signed cookie; a form counts only with the token of that interaction and from our own origin.
 */
export function interactionPages(options: InteractionOptions): OwnPath {
  const { issuer, formKey, sessions } = options;

  function formToken({ uid, prompt }: Interaction): string {
    return createHmac('sha256', formKey).update(`${prompt.name} ${uid}`).digest('base64url');
  }

  async function show(
    { provider, interaction, response }: Step,
    status: number,
    login: { email: string; refusal?: Problem },
  ) {
    const { params, prompt } = interaction;
    const client = await provider.Client.find(String(params['client_id']));
    const common = {
      action: interactionPath(issuer, interaction.uid),
      formToken: formToken(interaction),
      clientName: client?.clientName ?? String(params['client_id']),
    };
    const error = login.refusal && refusalText(login.refusal);
    const base = accountPath(issuer);
    const body = async () => {
      switch (prompt.name) {
        case verificationPrompt:
          return verificationPage({
            ...{ ...common, error },
            email: (await personOf(interaction)).email,
            resend: `${base}/resend`,
          });
        case 'consent':
          return consentPage({
            ...common,
            email: (await personOf(interaction)).email,
            scopes: wantedScopes(interaction),
          });
        default: {
          const ways = [{ href: `${base}/forgot`, text: 'Forgot your password?' }];
          return loginPage({ ...common, ...login, ways, error });
        }
      }
    };
    send(response, status, await body(), params['redirect_uri'] as string | undefined);
  }

  async function personOf({ session }: Interaction): Promise<User> {
    const subject = session === undefined ? undefined : await sessions.subject(session.accountId);
    if (subject === undefined) throw new errors.SessionNotFound('the account is not there any more');
    return subject.user;
  }

  /** Lets somebody go on who has verified their address meanwhile. */
  async function goOn(step: Step): Promise<void> {
    const { provider, interaction, request, response } = step;
    if ((await personOf(interaction)).email_verified) {
      return await provider.interactionFinished(request, response, { [verificationPrompt]: {} });
    }
    const refusal = problem('email_not_verified', 'Open the link in the mail first, or ask for a new one.');
    await show(step, refusal.status, { email: '', refusal });
  }

  async function logIn(step: Step, form: URLSearchParams): Promise<void> {
    const { provider, request, response } = step;
    const email = form.get('email') ?? '';
    const password = form.get('password') ?? '';
    try {
      const origin = requestOrigin(request);
      const { userId, at } = await options.authenticate({ email, password }, origin);
      response.append('Set-Cookie', options.deviceProofs.cookieFor(email));
      const user = { kind: 'user', id: userId } as const;
      await options.audit.record({
        actor: user,
        action: 'login',
        subject: user,
        origin,
        outcome: 'success',
        reason: String(step.interaction.params['client_id']),
      });
      await provider.interactionFinished(request, response, { login: { accountId: userId, ts: at, amr: ['pwd'] } });
    } catch (error) {
      const refusal = refusalOf(error, request);
      await show(step, refusal.status, { email, refusal });
    }
  }

  async function allow({ provider, interaction, request, response }: Step): Promise<void> {
    const { grantId, params, prompt, session } = interaction;
    if (session === undefined) throw new errors.SessionNotFound('nobody is logged in');
    const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const grant = known ?? new provider.Grant({ accountId: session.accountId, clientId: String(params['client_id']) });
    const missing = missingOf(prompt.details);
    if (missing.scopes.length > 0) grant.addOIDCScope(missing.scopes);
    if (missing.claims.length > 0) grant.addOIDCClaims(missing.claims);
    for (const [resource, scopes] of Object.entries(missing.resources)) grant.addResourceScope(resource, scopes);
    await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  }

  async function begin(request: Request, response: Response): Promise<Step> {
    const provider = await options.providers();
    const interaction = await provider.interactionDetails(request, response);
    if (interaction.uid !== request.params['uid']) throw new errors.SessionNotFound('this is another log-in');
    return { provider, interaction, request, response };
  }

  return {
    path: `${new URL(issuer).pathname}/interaction/:uid`,
    async handle(request: Request, response: Response): Promise<void> {
      try {
        const step = await begin(request, response);
        if (request.method === 'GET') return await show(step, 200, { email: loginHint(step.interaction) });
        const form = await readPostedForm(request);
        requireOwnForm(request, form, { origin: new URL(issuer).origin, token: formToken(step.interaction) });
        await decide(step, form);
      } catch (error) {
        if (!(error instanceof errors.OIDCProviderError)) throw error;
        send(response, error.statusCode, errorDocument(error.error, explain(error)));
      }
    },
  };

  async function decide(step: Step, form: URLSearchParams): Promise<void> {
    const { provider, interaction, request, response } = step;
    const decision = form.get('decision');
    if (decision === 'cancel') {
      const refusal = { error: 'access_denied', error_description: 'the person said no' };
      await provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
    } else if (interaction.prompt.name === 'login' && (decision === 'log_in' || decision === null)) {
      await logIn(step, form);
    } else if (interaction.prompt.name === 'consent' && decision === 'allow') {
      await allow(step);
    } else if (interaction.prompt.name === verificationPrompt && decision === 'go_on') {
      await goOn(step);
    } else {
      throw new errors.InvalidRequest('the form is not one of this step');
    }
  }
}

function interactionPath(issuer: string, uid: string): string {
  return `${new URL(issuer).pathname}/interaction/${uid}`;
}

/** The path below which an account's own pages are. */
function accountPath(issuer: string): string {
  return `${new URL(issuer).pathname}/account`;
}

function loginHint({ params }: Interaction): string {
  return typeof params['login_hint'] === 'string' ? params['login_hint'] : '';
}

/** RFC 9700 section 4.7 and OWASP's cheat sheet on CSRF: an unguessable token, and the origin that browsers name. */
function requireOwnForm(request: Request, form: URLSearchParams, own: { origin: string; token: string }): void {
  const { origin } = request.headers;
  const isFromElsewhere = origin !== undefined && origin !== own.origin;
  if (isFromElsewhere || !hasToken(form, own.token))
    throw new errors.InvalidRequest('the form is not one of ours', 403);
}

type Missing = { scopes: string[]; claims: string[]; resources: Record<string, string[]> };

function missingOf(details: Record<string, unknown>): Missing {
  return {
    scopes: (details['missingOIDCScope'] ?? []) as string[],
    claims: (details['missingOIDCClaims'] ?? []) as string[],
    resources: (details['missingResourceScopes'] ?? {}) as Record<string, string[]>,
  };
}

function wantedScopes({ prompt, params }: Interaction): string[] {
  const { scopes, resources } = missingOf(prompt.details);
  const missing = [...scopes, ...Object.values(resources).flat()];
  // a client that asks again (prompt=consent) asks for what was granted before
  return missing.length > 0 ? missing : String(params['scope'] ?? '').split(' ');
}

function explain(error: errors.OIDCProviderError): string {
  return error instanceof errors.SessionNotFound
    ? 'This log-in has expired, or was begun in another browser.'
    : (error.error_description ?? error.message);
}

function send(response: Response, status: number, body: string, leadsTo?: string): void {
  response.writeHead(status, pageHeaders(leadsTo)).end(body);
}
