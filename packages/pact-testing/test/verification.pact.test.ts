import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { exampleToken, verifyPacts, type Verification } from '../src/index.ts';

describe('the verification of pacts', () => {
  let server: Server;
  let folder: string;
  const authorizations: (string | undefined)[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'taskwire-verification-'));
    server = createServer((request, response) => {
      authorizations.push(request.headers.authorization);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ path: request.url }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  const http = (answer: unknown) => ({
    type: 'Synchronous/HTTP',
    description: 'a request',
    providerStates: [{ name: 'a thing' }],
    request: { method: 'GET', path: '/things', headers: { Authorization: [`Bearer ${exampleToken}`] } },
    response: { status: 200, body: { content: answer, contentType: 'application/json', encoded: false } },
  });
  const message = {
    type: 'Asynchronous/Messages',
    description: 'an event',
    contents: { content: { a: 1 }, contentType: 'application/json', encoded: false },
    metadata: { contentType: 'application/json', type: 'things.made' },
  };

  async function faults(interaction: unknown, given: Partial<Verification>): Promise<string> {
    const file = join(folder, 'pact.json');
    const metadata = { pactSpecification: { version: '4.0' } };
    const pact = { consumer: { name: 'a' }, provider: { name: 'things' }, interactions: [interaction], metadata };
    writeFileSync(file, JSON.stringify(pact));
    const verification: Verification = {
      provider: 'things',
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      states: {},
      messages: {},
      token: async () => 'a-real-token',
      pactUrls: [file],
      ...given,
    };
    return await verifyPacts(verification).then(
      () => '',
      (error: Error) => error.message,
    );
  }

  const states = { 'a thing': async () => undefined };

  it('passes when the provider keeps its pact, and sends a real token', async () => {
    expect(await faults(http({ path: '/things' }), { states })).to.equal('');
    expect(authorizations.at(-1)).to.equal('Bearer a-real-token');
  });

  it('fails when the response differs, and names the difference', async () => {
    const found = await faults(http({ path: '/others' }), { states });
    expect(found).to.include('things breaks its pacts').and.include("'/others'");
  });

  it('fails for a state without a handler, although the response is correct', async () => {
    const found = await faults(http({ path: '/things' }), { states: {} });
    expect(found).to.include(`state "a thing": Error: the provider's test has no handler for it`);
  });

  it('fails when a state handler fails, although the response is correct', async () => {
    const broken = {
      'a thing': async () => {
        throw new Error('no database');
      },
    };
    expect(await faults(http({ path: '/things' }), { states: broken })).to.include('no database');
  });

  it('compares the payload and the metadata of messages', async () => {
    const provide = (payload: unknown, type: string) => ({
      messages: { 'an event': async () => ({ payload, metadata: { contentType: 'application/json', type } }) },
    });
    expect(await faults(message, provide({ a: 1, more: true }, 'things.made'))).to.equal('');
    expect(await faults(message, provide({ b: 1 }, 'things.made'))).to.include('an event');
    expect(await faults(message, provide({ a: 1 }, 'things.lost'))).to.include('things.lost');
  });

  it('fails for a message without a handler', async () => {
    expect(await faults(message, {})).to.include(
      `message "an event": Error: the provider's test has no handler for it`,
    );
  });

  it('fails when no pact with the provider exists', async () => {
    const unknown = verifyPacts({ provider: 'unknown', baseUrl: '', states, messages: {}, token: async () => '' });
    expect(await unknown.catch((error: Error) => error.message)).to.include(
      'contains no pact with unknown as the provider',
    );
  });
});
