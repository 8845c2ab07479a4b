import type { MatchersV3, PactV3, PactV4 } from '@pact-foundation/pact';
import { expect } from 'chai';
import { exampleProblem, exampleToken } from './pacts.ts';

const id = '019a9d5e-4b7c-7cc1-8a53-6f0d2c1e9b42';
const at = '2026-11-20T15:57:51.123456Z';
const clientSecret = 'the-secret-of-the-pact-0123456789';
const authorization = `Bearer ${exampleToken}`;
const since = '2020-01-01T00:00:00.000000Z';

/** The user in the examples. */
export const exampleUserId = id;
/** The secret with which consumers authenticate at the token endpoint; a provider must configure it for its clients. */
export const exampleClientSecret = clientSecret;

type Answer = { kind: string };

/** The consumer's own code, with which its expectations are tested. */
export type AuthConsumer = {
  name: string;
  getUser(baseUrl: string, id: string): Promise<Answer>;
  listUsers(baseUrl: string, place: { updatedSince: string | null; cursor: string | null }): Promise<Answer>;
  /** Requests a token for calls by this service; returns the error if the request fails. */
  token(baseUrl: string, request: { secret: string; audience: string; scope: string }): Promise<string | Error>;
  /** Whether a verification key with this id was found. */
  hasKey(baseUrl: string, kid: string): Promise<boolean>;
};

export type AuthExpectations = {
  consumer: AuthConsumer;
  /** The scopes of the tokens that the consumer requests, by audience. */
  scopes: Readonly<Record<string, readonly string[]>>;
  pact: () => PactV4;
  formPact: () => PactV3;
  is: typeof MatchersV3;
};

/**
 * Declares the expectations of a service with a user directory about Auth's REST API (mocha): users, tokens, keys. Such services use the same
 * packages, and therefore have the same expectations; each service has its own pact, because they are deployed separately.
 */
export function expectAuth({ consumer, scopes, pact, formPact, is }: AuthExpectations): void {
  const instant = exampleInstant(is);
  /** The fields of a user that the user directory reads. */
  const user = {
    id: is.fromProviderState('${id}', id),
    email: is.string('ann@example.com'),
    email_verified: is.boolean(true),
    name: is.string('Ann'),
    role: is.string('member'),
    version: is.integer(1),
    updated_at: instant,
    is_deleted: false,
    tokens_valid_after: null,
  };
  /** The same fields in a list, where any user id is accepted. */
  const listed = { ...user, id: is.uuid(id) };
  const userPath = is.fromProviderState('/users/${id}', `/users/${id}`);

  const aRequestForTheUser = (state: string) =>
    pact()
      .addInteraction()
      .given(state)
      .uponReceiving('a request for the user')
      .withRequest('GET', userPath, (request) => request.headers({ authorization }));

  it('reads a user', async () => {
    await aRequestForTheUser('a user')
      .willRespondWith(200, (response) => response.jsonBody(user))
      .executeTest(async ({ url }) => {
        const answer = await consumer.getUser(url, id);
        expect(answer).to.have.nested.property('value.tokens_valid_after', null);
      });
  });

  it('reads the time from which tokens of a user are valid', async () => {
    await aRequestForTheUser('a user whose sessions were ended')
      .willRespondWith(200, (response) => response.jsonBody({ ...user, tokens_valid_after: instant }))
      .executeTest(async ({ url }) => {
        const answer = await consumer.getUser(url, id);
        expect(answer).to.have.nested.property('value.tokens_valid_after', at);
      });
  });

  it('distinguishes a deleted user (410)', async () => {
    await aRequestForTheUser('a user who was deleted')
      .willRespondWith(410, (response) =>
        exampleProblem(is, response, { code: 'gone', detail: is.string('The user was deleted.') }),
      )
      .executeTest(async ({ url }) => {
        expect(await consumer.getUser(url, id)).to.deep.equal({ kind: 'gone', detail: 'The user was deleted.' });
      });
  });

  it('distinguishes a user that never existed (404)', async () => {
    await pact()
      .addInteraction()
      .uponReceiving('a request for a user who never was')
      .withRequest('GET', `/users/${id}`, (request) => request.headers({ authorization }))
      .willRespondWith(404, (response) =>
        exampleProblem(is, response, { code: 'not_found', detail: is.string('There is no such user.') }),
      )
      .executeTest(async ({ url }) => {
        expect(await consumer.getUser(url, id)).to.deep.equal({ kind: 'not_found' });
      });
  });

  it('gets 401 for an unusable token, so that it requests another', async () => {
    await pact()
      .addInteraction()
      .given('a user')
      .uponReceiving('a request for the user with a token that is none')
      .withRequest('GET', userPath, (request) => request.headers({ authorization: 'Bearer none' }))
      .willRespondWith(401)
      .executeTest(async ({ url }) => {
        const response = await fetch(`${url}/users/${id}`, { headers: { authorization: 'Bearer none' } });
        expect(response.status).to.equal(401);
      });
  });

  it('lists users, including deleted ones', async () => {
    const deleted = { ...listed, is_deleted: true, tokens_valid_after: instant };
    await pact()
      .addInteraction()
      .given('a user and one who was deleted')
      .uponReceiving('a request for all users')
      .withRequest('GET', '/users', (request) => request.headers({ authorization }).query({ limit: '100' }))
      .willRespondWith(200, (response) =>
        response.jsonBody({ data: is.arrayContaining(listed, deleted), next_cursor: null }),
      )
      .executeTest(async ({ url }) => {
        const answer = await consumer.listUsers(url, { updatedSince: null, cursor: null });
        expect(answer).to.have.nested.property('value.data.1.is_deleted', true);
      });
  });

  it('continues a list from the cursor of the previous page', async () => {
    const page = (cursor: string | undefined) => ({ limit: '100', updated_since: since, ...(cursor && { cursor }) });
    await pact()
      .addInteraction()
      .given('more users than fit on a page')
      .uponReceiving('a request for the users that changed')
      .withRequest('GET', '/users', (request) => request.headers({ authorization }).query(page(undefined)))
      .willRespondWith(200, (response) =>
        response.jsonBody({ data: is.arrayContaining(listed), next_cursor: is.string('a cursor') }),
      )
      .executeTest(async ({ url }) => {
        const answer = await consumer.listUsers(url, { updatedSince: since, cursor: null });
        expect(answer).to.have.nested.property('value.next_cursor', 'a cursor');
      });
    await pact()
      .addInteraction()
      .given('more users than fit on a page')
      .uponReceiving('a request for the next page')
      .withRequest('GET', '/users', (request) =>
        request
          .headers({ authorization })
          .query({ ...page(undefined), cursor: is.fromProviderState('${cursor}', 'cursor') }),
      )
      .willRespondWith(200, (response) => response.jsonBody({ data: is.arrayContaining(listed), next_cursor: null }))
      .executeTest(async ({ url }) => {
        const answer = await consumer.listUsers(url, { updatedSince: since, cursor: 'cursor' });
        expect(answer).to.have.nested.property('value.next_cursor', null);
      });
  });

  const tokenRequest = (secret: string, audience: string, scope: string) => ({
    method: 'POST',
    path: '/oidc/token',
    headers: { authorization: `Basic ${Buffer.from(`${consumer.name}:${secret}`).toString('base64')}` },
    contentType: 'application/x-www-form-urlencoded',
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope }).toString(),
  });

  const wanted = Object.entries(scopes).flatMap(([audience, list]) => list.map((scope) => ({ audience, scope })));

  for (const { audience, scope } of wanted) {
    it(`gets a token for ${audience} with ${scope}`, async () => {
      await formPact()
        .given(`${consumer.name} is a client`)
        .uponReceiving(`a request for a token for ${audience} with ${scope}`)
        .withRequest(tokenRequest(clientSecret, audience, scope))
        .willRespondWith({
          status: 200,
          body: { access_token: is.string('a token'), token_type: 'Bearer', expires_in: is.integer(600) },
        })
        .executeTest(async ({ url }) => {
          expect(await consumer.token(url, { secret: clientSecret, audience, scope })).to.equal('a token');
        });
    });
  }

  it('gets an error for a wrong secret', async () => {
    const { audience, scope } = wanted[0] ?? { audience: '', scope: '' };
    await formPact()
      .given(`${consumer.name} is a client`)
      .uponReceiving('a request for a token with a wrong secret')
      .withRequest(tokenRequest('wrong', audience, scope))
      .willRespondWith({ status: 401, body: { error: 'invalid_client' } })
      .executeTest(async ({ url }) => {
        expect(await consumer.token(url, { secret: 'wrong', audience, scope })).to.be.instanceOf(Error);
      });
  });

  it('reads the keys that verify tokens', async () => {
    const key = {
      kid: is.string('key'),
      kty: 'EC',
      crv: 'P-256',
      // RFC 7515 appendix A.3
      x: is.string('f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU'),
      y: is.string('x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'),
    };
    await pact()
      .addInteraction()
      .uponReceiving('a request for the keys')
      .withRequest('GET', '/oidc/jwks')
      .willRespondWith(200, (response) => response.jsonBody({ keys: is.eachLike(key) }))
      .executeTest(async ({ url }) => {
        expect(await consumer.hasKey(url, 'key')).to.equal(true);
      });
  });
}

/** An instant in UTC with microseconds. */
export function exampleInstant(is: typeof MatchersV3) {
  return is.regex('^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$', at);
}
