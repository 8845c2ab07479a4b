import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { demoPeople } from '../infra/local/people.ts';
import { startChromium, startClientSite } from './chromium.ts';
import { expectedFeatures, generator, type Known } from './client-proof.ts';
import { fillProofFolder, runtimes, storedTasks, type RunProof } from './client-runtimes.ts';
import { startDroppingProxy } from './dropping-proxy.ts';
import { useSuite } from './suite.ts';

/** The faults are those of `client-faults`; here, few calls show that a runtime reports them as Node does. */
const calls = 400;
const workers = 20;

describe('The compiled client', function () {
  this.timeout(180_000);
  const suite = useSuite();
  const { email = '', password = '' } = demoPeople.find((person) => person.email.startsWith('manager@')) ?? {};
  let folder: string;
  let stalled: Server;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'taskwire-runtimes-'));
    await fillProofFolder(folder);
    stalled = createServer(({ method }, response) => {
      response.writeHead(200, {
        ...{
          'content-type': 'application/json',
          'access-control-allow-origin': '*',
          'access-control-allow-headers': '*',
        },
      });
      // the server must also answer preflights
      if (method === 'OPTIONS') response.end();
      else response.write('{"data": [');
    });
    await new Promise<void>((resolve) => stalled.listen(0, '127.0.0.1', resolve));
  });
  after(() => {
    stalled.close();
    stalled.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  /** A page of another origin, which imports the client and the proof. */
  const inChromium: RunProof = async (_, call) => {
    const files: Readonly<Record<string, string>> = {
      '/client.js': readFileSync(join(folder, 'client/index.js'), 'utf8'),
      '/proof.js': readFileSync(join(folder, 'client-proof.js'), 'utf8'),
    };
    const [origin = ''] = suite().corsOrigins;
    const site = await startClientSite(
      ({ url = '' }, response) => {
        const type = url in files ? 'text/javascript' : 'text/html';
        response.writeHead(200, { 'content-type': type }).end(files[url] ?? '<!doctype html><title>Proof</title>');
      },
      { host: 'localhost', port: Number(new URL(origin).port) },
    );
    const chromium = await startChromium();
    try {
      const page = await (await chromium.fresh({ javaScriptEnabled: true })).newPage();
      await page.goto(site.origin);
      const imported = "const [client, proof] = await Promise.all([import('/client.js'), import('/proof.js')]);";
      const made = `proof[${JSON.stringify(call.name)}](client, ${JSON.stringify(call.options)})`;
      return await page.evaluate(`(async () => { ${imported} return await ${made}; })()`);
    } finally {
      await chromium.close();
      await site.close();
    }
  };

  for (const [name, run] of Object.entries({ ...runtimes, Chromium: inChromium })) {
    it(`loses, doubles and misreports nothing in ${name} when ${calls} calls lose responses`, async () => {
      const random = generator(1);
      const proxy = await startDroppingProxy({ target: suite().url, probability: 0.35, mostInARow: 2, random });
      const prefix = `${name.toLowerCase()}-${Date.now()} `;
      const options = { url: proxy.url, accounts: demoPeople, prefix, calls, workers, seed: 2 };
      const proven = (await run(folder, { name: 'callThroughFaults', options })) as {
        known: Known[];
        errors: string[];
      };
      await proxy.close();
      expect(proven.errors, 'false errors').to.deep.equal([]);
      expect(await storedTasks(suite(), prefix), 'doubled changes and false successes').to.deep.equal(proven.known);
      expect(proxy.dropped(), 'the faults happened').to.be.above(calls / 4);
    });

    it(`logs in, lists, replays, times out and aborts in ${name}`, async () => {
      const stalledUrl = `http://127.0.0.1:${(stalled.address() as AddressInfo).port}`;
      const prefix = `${name.toLowerCase()}-${Date.now()} `;
      const options = { url: suite().url, stalledUrl, email, password, prefix };
      expect(await run(folder, { name: 'useFeatures', options })).to.deep.equal(expectedFeatures);
    });
  }
});
