import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  brokerFromEnvironment,
  brokerSelection,
  canDeploy,
  publishPacts,
  type PactBroker,
} from '../src/pact-broker.ts';

describe('a Pact Broker', () => {
  let server: Server;
  let broker: PactBroker;
  let status: number;
  let answer: unknown;
  const requests: { method: string | undefined; url: string | undefined; token: string | undefined; body: string }[] =
    [];

  before(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { method, url, headers } = request;
        requests.push({ method, url, token: headers.authorization, body });
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    broker = { url, token: 'a-token', version: 'abc', branch: 'main' };
  });
  beforeEach(() => {
    requests.splice(0);
    status = 200;
    answer = {};
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  it('is configured by the environment, or absent', () => {
    expect(brokerFromEnvironment({})).to.equal(undefined);
    const found = brokerFromEnvironment({ PACT_BROKER_BASE_URL: 'https://pacts.test/', PACT_BROKER_TOKEN: 'a' });
    expect(found).to.include({ url: 'https://pacts.test', token: 'a' });
    expect(brokerSelection(broker)).to.deep.include({ publishVerificationResult: true, providerVersion: 'abc' });
  });

  it('receives the pacts of each consumer, under the version of this checkout', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskwire-broker-'));
    const pact = (consumer: string, provider: string) => {
      const text = JSON.stringify({ consumer: { name: consumer }, provider: { name: provider } });
      writeFileSync(join(folder, `${consumer}-${provider}.json`), text);
    };
    pact('tasks', 'auth');
    pact('notifications', 'auth');
    pact('notifications', 'tasks');
    await publishPacts(broker, folder);
    rmSync(folder, { recursive: true });
    const bodies = requests.map(
      ({ body }) => JSON.parse(body) as { pacticipantName: string; contracts: { providerName: string }[] },
    );
    const published = bodies.map(({ pacticipantName, contracts }) => [
      pacticipantName,
      contracts.map((each) => each.providerName).sort(),
    ]);
    expect(published).to.have.deep.members([
      ['tasks', ['auth']],
      ['notifications', ['auth', 'tasks']],
    ]);
    expect(requests[0]).to.include({ method: 'POST', url: '/contracts/publish', token: 'Bearer a-token' });
    expect(bodies[0]).to.include({ pacticipantVersionNumber: 'abc', branch: 'main' });
  });

  it('decides whether a version can be deployed, and rejects an unverified version', async () => {
    answer = { summary: { deployable: true, reason: 'all is verified' } };
    expect(await canDeploy(broker, 'tasks', 'production')).to.deep.equal({ ok: true, reason: 'all is verified' });
    expect(requests[0]?.url).to.equal('/can-i-deploy?pacticipant=tasks&version=abc&environment=production');
    answer = { summary: { deployable: null, reason: 'not verified' } };
    expect((await canDeploy(broker, 'tasks', 'production')).ok).to.equal(false);
  });

  it('allows no deployment when its response is an error', async () => {
    status = 500;
    const failure = await canDeploy(broker, 'tasks', 'production').catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error);
  });
});
