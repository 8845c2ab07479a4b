import type { authRoutes } from '@taskwire/contracts';
import type { AnswerOf, RequestOf } from '@taskwire/http-server';
import type { GrantError, ServiceToken } from '../app/grant-service-token.ts';

type TokenRoute = (typeof authRoutes)['token'];

type Grant = (request: {
  clientId: string;
  clientSecret: string;
  grantType: string;
  scope: string | undefined;
  resource: string | undefined;
}) => Promise<ServiceToken | GrantError>;

type Form = Record<string, string | undefined>;

/** POST /oidc/token as RFC 6749 has it: form in, and errors in its own JSON. */
export function tokenEndpoint(grant: Grant) {
  return async ({ body, headers }: RequestOf<TokenRoute>): Promise<AnswerOf<TokenRoute>> => {
    const repeated = Object.entries(body).find(([, value]) => Array.isArray(value));
    if (repeated !== undefined) return refuse('invalid_request', `${repeated[0]} must be sent once`);
    const form = body as Form;
    const client = clientCredentials(headers.authorization, form);
    if ('error' in client) return refuse(client.error, client.error_description);
    if (form['grant_type'] === undefined) return refuse('invalid_request', 'grant_type is missing');
    const result = await grant({
      ...client,
      grantType: form['grant_type'],
      scope: form['scope'],
      resource: form['resource'],
    });
    if ('error' in result) return refuse(result.error, result.error_description);
    return { status: 200, headers: noStore, body: result };
  };
}

/** RFC 6749 section 5.1. */
const noStore = { 'Cache-Control': 'no-store', Pragma: 'no-cache' };

function refuse(error: GrantError['error'], description: string): AnswerOf<TokenRoute> {
  const body = { error, error_description: description };
  if (error !== 'invalid_client') return { status: 400, headers: noStore, body };
  return { status: 401, headers: { ...noStore, 'WWW-Authenticate': 'Basic realm="taskwire"' }, body };
}

/** RFC 6749 section 2.3.1: by HTTP Basic or in the form, never both (section 2.3). */
function clientCredentials(
  authorization: string | string[] | undefined,
  form: Form,
): { clientId: string; clientSecret: string } | GrantError {
  const { client_id: formId, client_secret: formSecret } = form;
  if (authorization === undefined) {
    if (formId === undefined || formSecret === undefined) {
      return { error: 'invalid_client', error_description: 'the request has no client authentication' };
    }
    return { clientId: formId, clientSecret: formSecret };
  }
  if (formSecret !== undefined) {
    return { error: 'invalid_request', error_description: 'use one way of client authentication' };
  }
  // Node joins no Authorization headers: of several, the first is used
  const basic = typeof authorization === 'string' ? readBasic(authorization) : undefined;
  if (basic === undefined) {
    return { error: 'invalid_client', error_description: 'the Authorization header is not usable' };
  }
  if (formId !== undefined && formId !== basic.clientId) {
    return { error: 'invalid_request', error_description: 'client_id is not the one of the Authorization header' };
  }
  return basic;
}

function readBasic(authorization: string): { clientId: string; clientSecret: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  try {
    return { clientId: formDecode(text.slice(0, colon)), clientSecret: formDecode(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}

/** The id and the secret are form-encoded before they are joined. @throws URIError. */
function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
