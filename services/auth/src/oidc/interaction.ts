import { createHmac } from 'node:crypto';
import type { RawRoute } from '@taskwire/http-server';
import { problem, type Problem } from '@taskwire/errors';
import type { Role } from '@taskwire/contracts';
import type { Client, Provider } from 'oidc-provider';
import * as errors from 'oidc-provider/lib/helpers/errors.js';
import type { Audit } from '../app/ports/audit.ts';
import type { Authenticate } from '../app/authenticate.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { User } from '../app/ports/users.ts';
import type { Providers } from './provider.ts';
import { allow, requestedAccess, type RequestedAccess } from './consent.ts';
import { hasToken, readPostedForm } from './form.ts';
import { requestOrigin, storingFor } from './origin.ts';
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
  deviceCookies: DeviceCookies;
  /** The key for making form tokens. */
  formKey: Buffer;
};

type Request = Parameters<RawRoute['handle']>[0];
type Response = Parameters<RawRoute['handle']>[1];
type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;
/** The consent requested from a user. */
type Question = { email: string; role: Role; asked: RequestedAccess };
type Step = { provider: Provider; interaction: Interaction; request: Request; response: Response };

/**
 * The pages between a client's request and its response: log-in and consent. The provider decides which one is shown. An interaction belongs to the
 * browser that holds its signed cookie. A form is accepted only with the token of that interaction and from our own origin.
 */
export function interactionPages(options: InteractionOptions): RawRoute {
  const { issuer, formKey, sessions } = options;

  /** The token of the consent page also covers the contents of the page: if these have changed since it was shown, the form is rejected. */
  function formToken({ uid, prompt }: Interaction, shown: unknown): string {
    return createHmac('sha256', formKey)
      .update(`${prompt.name} ${uid} ${JSON.stringify(shown)}`)
      .digest('base64url');
  }

  async function show(
    { provider, interaction, response }: Step,
    status: number,
    login: { email: string; refusal?: Problem },
  ) {
    const { params } = interaction;
    const client = await clientOf(provider, interaction);
    const question = await questionOf(provider, interaction);
    const common = {
      action: interactionPath(issuer, interaction.uid),
      formToken: formToken(interaction, question),
      clientName: client.clientName ?? client.clientId,
    };
    const error = login.refusal && refusalText(login.refusal);
    const base = accountPath(issuer);
    const body = async () => {
      if (question !== undefined) return consentPage({ ...common, ...question });
      if (interaction.prompt.name === verificationPrompt) {
        const { email } = await personOf(interaction);
        return verificationPage({ ...common, error, email, resend: `${base}/resend` });
      }
      const nextSteps = [{ href: `${base}/forgot`, text: 'Forgot your password?' }];
      return loginPage({ ...common, ...login, nextSteps, error });
    };
    send(response, status, await body(), params['redirect_uri'] as string | undefined);
  }

  async function personOf({ session }: Interaction): Promise<User> {
    const subject = session === undefined ? undefined : await sessions.subject(session.accountId);
    if (subject === undefined) throw new errors.SessionNotFound('the account no longer exists');
    return subject.user;
  }

  /** Continues the interaction of a user who has verified their address in the meantime. */
  async function continueVerified(step: Step): Promise<void> {
    const { provider, interaction, request, response } = step;
    if ((await personOf(interaction)).email_verified) {
      return await provider.interactionFinished(request, response, { [verificationPrompt]: {} });
    }
    const refusal = problem('email_not_verified', 'Open the link in the mail first, or ask for a new one.');
    await show(step, refusal.status, { email: '', refusal });
  }

  /** Returns the access to which the user is asked to consent, if consent is the current step. */
  async function questionOf(provider: Provider, interaction: Interaction): Promise<Question | undefined> {
    const { params, prompt } = interaction;
    if (prompt.name !== 'consent') return undefined;
    const { email, role } = await personOf(interaction);
    return { email, role, asked: requestedAccess(await clientOf(provider, interaction), params, role) };
  }

  async function logIn(step: Step, form: URLSearchParams): Promise<void> {
    const { provider, request, response } = step;
    const email = form.get('email') ?? '';
    const password = form.get('password') ?? '';
    try {
      const origin = requestOrigin(request, String(step.interaction.params['client_id']));
      const authentication = await options.authenticate({ email, password }, origin);
      const { userId, at } = authentication;
      response.append('Set-Cookie', options.deviceCookies.cookieFor(authentication, email));
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

  async function consent({ provider, interaction, request, response }: Step, { asked }: Question): Promise<void> {
    const { grantId, params, prompt, session } = interaction;
    if (session === undefined) throw new errors.SessionNotFound('no user is logged in');
    const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const grant = known ?? new provider.Grant({ accountId: session.accountId, clientId: String(params['client_id']) });
    allow(grant, asked);
    const claims = (prompt.details['missingOIDCClaims'] ?? []) as string[];
    if (claims.length > 0) grant.addOIDCClaims(claims);
    const origin = requestOrigin(request, String(params['client_id']));
    const saved = await storingFor(origin, async () => await grant.save());
    await provider.interactionFinished(request, response, { consent: { grantId: saved } });
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
        const question = await questionOf(step.provider, step.interaction);
        const token = formToken(step.interaction, question);
        requireOwnForm(request, form, { origin: new URL(issuer).origin, token });
        await decide(step, form, question);
      } catch (error) {
        if (!(error instanceof errors.OIDCProviderError)) throw error;
        send(response, error.statusCode, errorDocument(error.error, explain(error)));
      }
    },
  };

  async function decide(step: Step, form: URLSearchParams, question: Question | undefined): Promise<void> {
    const { provider, interaction, request, response } = step;
    const decision = form.get('decision');
    if (decision === 'cancel') {
      const refusal = { error: 'access_denied', error_description: 'the user denied the request' };
      await provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
    } else if (interaction.prompt.name === 'login' && (decision === 'log_in' || decision === null)) {
      await logIn(step, form);
    } else if (question !== undefined && decision === 'allow') {
      await consent(step, question);
    } else if (interaction.prompt.name === verificationPrompt && decision === 'go_on') {
      await continueVerified(step);
    } else {
      throw new errors.InvalidRequest('the form is not one of this step');
    }
  }
}

function interactionPath(issuer: string, uid: string): string {
  return `${new URL(issuer).pathname}/interaction/${uid}`;
}

/** The base path of the account pages. */
function accountPath(issuer: string): string {
  return `${new URL(issuer).pathname}/account`;
}

function loginHint({ params }: Interaction): string {
  return typeof params['login_hint'] === 'string' ? params['login_hint'] : '';
}

/** RFC 9700 section 4.7 and OWASP's CSRF cheat sheet: requires an unguessable token and our own Origin header. */
function requireOwnForm(request: Request, form: URLSearchParams, own: { origin: string; token: string }): void {
  const { origin } = request.headers;
  const isFromElsewhere = origin !== undefined && origin !== own.origin;
  if (isFromElsewhere || !hasToken(form, own.token))
    throw new errors.InvalidRequest('the form is not one of ours', 403);
}

async function clientOf(provider: Provider, { params }: Interaction): Promise<Client> {
  const client = await provider.Client.find(String(params['client_id']));
  if (client === undefined) throw new errors.InvalidClient('client is invalid', 'client not found');
  return client;
}

function explain(error: errors.OIDCProviderError): string {
  return error instanceof errors.SessionNotFound
    ? 'This log-in has expired, or was begun in another browser.'
    : (error.error_description ?? error.message);
}

function send(response: Response, status: number, body: string, leadsTo?: string): void {
  response.writeHead(status, pageHeaders(leadsTo)).end(body);
}
