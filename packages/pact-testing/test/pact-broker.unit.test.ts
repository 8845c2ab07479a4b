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
        response.writeHead(status, { 'content-type': 'application/hal+json' });
        response.end(JSON.stringify(url === '/' ? index() : answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    broker = { url, token: 'a-token', version: 'abc', branch: 'main' };
  });
  /** The links that the client follows to find resources: https://docs.pact.io/pact_broker/advanced_topics/api_docs */
  function index() {
    const links = { 'pb:publish-contracts': '/contracts/publish', 'pb:can-i-deploy': '/can-i-deploy' };
    return {
      _links: Object.fromEntries(Object.entries(links).map(([name, path]) => [name, { href: `${broker.url}${path}` }])),
    };
  }

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
      const metadata = { pactSpecification: { version: '4.0' } };
      const text = JSON.stringify({
        consumer: { name: consumer },
        provider: { name: provider },
        interactions: [],
        metadata,
      });
      writeFileSync(join(folder, `${consumer}-${provider}.json`), text);
    };
    pact('tasks', 'auth');
    pact('notifications', 'auth');
    pact('notifications', 'tasks');
    await publishPacts(broker, folder);
    rmSync(folder, { recursive: true });
    const publications = requests.filter(({ url }) => url === '/contracts/publish');
    const bodies = publications.map(
      ({ body }) => JSON.parse(body) as { pacticipantName: string; contracts: { providerName: string }[] },
    );
    const published = bodies.flatMap(({ pacticipantName, contracts }) =>
      contracts.map((each) => `${pacticipantName}-${each.providerName}`),
    );
    expect(published).to.have.members(['tasks-auth', 'notifications-auth', 'notifications-tasks']);
    expect(publications[0]).to.include({ method: 'POST', url: '/contracts/publish', token: 'Bearer a-token' });
    expect(bodies[0]).to.include({ pacticipantVersionNumber: 'abc', branch: 'main' });
  });

  const question = { service: 'tasks', version: 'abc', environment: 'production' };

  it('decides whether a version can be deployed, and rejects an unverified version', async () => {
    answer = { summary: { deployable: true, reason: 'all is verified' }, notices: [], matrix: [] };
    expect(await canDeploy(broker, question)).to.have.property('ok', true);
    const asked = new URLSearchParams(requests.at(-1)?.url?.split('?')[1]);
    expect(asked.get('q[][pacticipant]')).to.equal('tasks');
    expect(asked.get('q[][version]')).to.equal('abc');
    expect(asked.get('environment')).to.equal('production');
    for (const deployable of [false, null]) {
      answer = { summary: { deployable, reason: 'not verified' }, notices: [], matrix: [] };
      expect(await canDeploy(broker, question), String(deployable)).to.have.property('ok', false);
    }
  });

  it('allows no deployment, and accepts no pacts, when it refuses the token', async () => {
    status = 401;
    expect(await canDeploy(broker, question)).to.have.property('ok', false);
    const folder = mkdtempSync(join(tmpdir(), 'taskwire-broker-'));
    writeFileSync(
      join(folder, 'tasks-auth.json'),
      '{"consumer":{"name":"tasks"},"provider":{"name":"auth"},"interactions":[],"metadata":{"pactSpecification":{"version":"4.0"}}}',
    );
    const failure = await publishPacts(broker, folder).catch((error: unknown) => error);
    rmSync(folder, { recursive: true });
    expect(failure).to.be.instanceOf(Error);
  });
});
