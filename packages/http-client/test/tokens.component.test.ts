import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { silent, waitFor } from '@taskwire/testing';
import { createTelemetry } from '@taskwire/telemetry';
import { createM2mTokens, privateKeyJwt, TokenUnavailable, type TokenSource } from '../src/index.ts';
import { answeringServer, cut, hang, inTurn, json, type AnsweringServer, type Handle } from './answering-server.ts';

const wanted = { audience: 'urn:taskwire:auth', scope: 'users:read' };

describe('tokens for calls between services', () => {
  let auth: AnsweringServer;
  let tokens: TokenSource;
  let issued: number;

  function issue(lifeSeconds: number): Handle {
    return (request, response) => {
      issued += 1;
      const token = {
        access_token: `token ${issued}`,
        token_type: 'Bearer',
        expires_in: lifeSeconds,
        scope: wanted.scope,
      };
      json(200, token)(request, response);
    };
  }

  beforeEach(async () => {
    issued = 0;
    auth = await answeringServer(issue(600));
    tokens = createM2mTokens({
      tokenUrl: `${auth.url}/oidc/token`,
      clientId: 'tasks:1',
      clientSecret: 'a secret+with%odd&signs',
      telemetry: createTelemetry({ service: 'test', stream: silent() }),
    });
  });

  afterEach(async () => {
    await tokens.close();
    await auth.stop();
  });

  async function failure(promise: Promise<unknown>): Promise<unknown> {
    return await promise.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  it('are requested with form-encoded Basic credentials, one audience and a scope', async () => {
    await tokens.get(wanted);
    const [request] = auth.requests;
    expect(request?.method).to.equal('POST');
    expect(request?.url).to.equal('/oidc/token');
    const credentials = Buffer.from(request?.headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    expect(credentials).to.equal('tasks%3A1:a+secret%2Bwith%25odd%26signs');
    expect(Object.fromEntries(new URLSearchParams(request?.body))).to.deep.equal({
      grant_type: 'client_credentials',
      resource: 'urn:taskwire:auth',
      scope: 'users:read',
    });
  });

  it('are fetched once for any number of callers', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => tokens.get(wanted)));
    expect(new Set(all)).to.deep.equal(new Set(['token 1']));
    expect(await tokens.get(wanted)).to.equal('token 1');
    expect(auth.requests).to.have.length(1);
  });

  it('are cached separately for each audience', async () => {
    const other = { audience: 'urn:taskwire:tasks', scope: 'tasks:read' };
    expect(await tokens.get(wanted)).not.to.equal(await tokens.get(other));
    expect(auth.requests).to.have.length(2);
  });

  it('are renewed in the background before they expire, so that no call waits', async () => {
    auth.answer(issue(1));
    expect(await tokens.get(wanted)).to.equal('token 1');
    await waitFor(() => auth.requests.length === 2);
    await waitFor(async () => (await tokens.get(wanted)) === 'token 2');
  });

  it('are not renewed when they were not used since the last fetch', async () => {
    auth.answer(issue(1));
    const other = { audience: 'urn:taskwire:tasks', scope: 'tasks:read' };
    await tokens.get(wanted);
    await waitFor(() => auth.requests.length === 2, { what: 'the renewal of the token that was used once' });
    // while the token in use is renewed twice more, the unused one must not be renewed
    await waitFor(async () => (await tokens.get(other)) === 'token 5', { timeoutMs: 10_000 });
    const requestsBefore = auth.requests.filter(({ body }) => body.includes('taskwire%3Aauth'));
    expect(requestsBefore).to.have.length(2);
  });

  it('stay in use while Auth is unavailable, until they expire', async () => {
    auth.answer(inTurn(issue(3), cut));
    expect(await tokens.get(wanted)).to.equal('token 1');
    await waitFor(() => auth.requests.length >= 2, { what: 'a renewal that fails' });
    expect(await tokens.get(wanted)).to.equal('token 1');
    const error = await waitFor(() => failure(tokens.get(wanted)));
    expect(error).to.be.instanceOf(TokenUnavailable);
  });

  it('fail fast between attempts while Auth is unavailable', async () => {
    auth.answer(json(503, {}, { 'retry-after': '30' }));
    const first = await failure(tokens.get(wanted));
    const second = await failure(tokens.get(wanted));
    expect(first).to.be.instanceOf(TokenUnavailable);
    expect((second as TokenUnavailable).retryAfterMs).to.be.within(29_000, 30_000);
    expect(auth.requests).to.have.length(1);
  });

  it('are renewed without a call once Auth is available again', async () => {
    auth.answer(inTurn(cut, issue(600)));
    await failure(tokens.get(wanted));
    await waitFor(() => auth.requests.length === 2);
    expect(await waitFor(() => tokens.get(wanted))).to.equal('token 1');
  });

  it('report only the OAuth error code of a rejection', async () => {
    auth.answer(json(401, { error: 'invalid_client', error_description: 'a secret+with%odd&signs' }));
    const error = (await failure(tokens.get(wanted))) as Error;
    expect(String((error.cause as Error).message)).to.equal('the token endpoint responded with 401 invalid_client');
  });

  it('are fetched again after a service rejected one, once for all callers', async () => {
    const token = await tokens.get(wanted);
    for (let caller = 0; caller < 10; caller++) tokens.invalidate(token);
    const fresh = await Promise.all(Array.from({ length: 10 }, () => tokens.get(wanted)));
    expect(new Set(fresh)).to.deep.equal(new Set(['token 2']));
  });

  it('are not fetched repeatedly for a service that rejects every token', async () => {
    tokens.invalidate(await tokens.get(wanted));
    const fresh = await tokens.get(wanted);
    tokens.invalidate(fresh);
    expect(await tokens.get(wanted)).to.equal(fresh);
    expect(auth.requests).to.have.length(2);
  });

  it('end only the wait of the caller whose signal is aborted', async () => {
    auth.answer(hang);
    const controller = new AbortController();
    const impatient = failure(tokens.get(wanted, controller.signal));
    const patient = failure(tokens.get(wanted));
    await waitFor(() => auth.requests.length === 1);
    controller.abort(new Error('cancelled'));
    expect(((await impatient) as Error).message).to.equal('cancelled');
    await tokens.close();
    expect(await patient).to.be.instanceOf(TokenUnavailable);
    expect(auth.requests).to.have.length(1);
  });

  describe('when the clock of Auth differs from ours', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    let signed: TokenSource;
    let aheadMs: number;

    /** Accepts assertions that are valid by a clock that is ahead of ours, as oidc-provider does. */
    const judge: Handle = (request, response) => {
      const claims = decodeJwt(new URLSearchParams(auth.requests.at(-1)?.body).get('client_assertion') ?? '');
      const now = (Date.now() + aheadMs) / 1000;
      if (Number(claims.exp) > now && Number(claims.iat) <= now + 5) return issue(600)(request, response);
      response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString());
      json(401, { error: 'invalid_client' })(request, response);
    };

    beforeEach(() => {
      auth.answer(judge);
      const authentication = privateKeyJwt({ clientId: 'tasks', issuer: 'https://auth.test', privateKey });
      const telemetry = createTelemetry({ service: 'test', stream: silent() });
      signed = createM2mTokens({ tokenUrl: `${auth.url}/oidc/token`, authentication, telemetry });
    });
    afterEach(async () => await signed.close());

    for (const minutes of [-4, -2, 0, 2, 4]) {
      it(`are fetched by its clock, ${minutes} minutes away, with the second request at the latest`, async () => {
        aheadMs = minutes * 60_000;
        expect(await signed.get(wanted)).to.equal('token 1');
        expect(auth.requests).to.have.length(minutes === 0 ? 1 : 2);
        // the difference is remembered
        await signed.get({ ...wanted, scope: 'other' });
        expect(auth.requests).to.have.length(minutes === 0 ? 2 : 3);
      });
    }

    it('follow its clock when that changes, and never by more than five minutes', async () => {
      aheadMs = 120_000;
      await signed.get(wanted);
      aheadMs = -120_000;
      expect(await signed.get({ ...wanted, scope: 'other' })).to.equal('token 2');
      aheadMs = 3_600_000;
      expect(await failure(signed.get({ ...wanted, scope: 'third' }))).to.be.instanceOf(TokenUnavailable);
      const assertion = new URLSearchParams(auth.requests.at(-1)?.body).get('client_assertion') ?? '';
      expect(Number(decodeJwt(assertion).exp) * 1000).to.be.below(Date.now() + 361_000);
    });

    it('are not requested again at once if the credentials are wrong', async () => {
      auth.answer(json(401, { error: 'invalid_client' }));
      expect(await failure(signed.get(wanted))).to.be.instanceOf(TokenUnavailable);
      expect(auth.requests).to.have.length(1);
    });
  });
});
