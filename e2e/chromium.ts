import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type BrowserContextOptions } from 'playwright-core';
import { findBrowser } from '../infra/local/install-programs.ts';

/** Chromium's sandbox does not work in containers; without it the tests are safe, because they connect only to this machine. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type TestBrowser = { fresh(options?: BrowserContextOptions): Promise<BrowserContext>; close(): Promise<void> };

/** Starts Chromium with an empty profile. `fresh` opens a user's browser: without cookies, and without scripts unless requested. */
export async function startChromium(): Promise<TestBrowser> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('there is no Chromium; npm test installs it');
  const userData = mkdtempSync(join(tmpdir(), 'taskwire-chromium-'));
  const first = await chromium.launchPersistentContext(userData, { executablePath, args: flags, headless: true });
  const browser = first.browser();
  return {
    async fresh(options = {}) {
      if (browser === null) throw new Error('Chromium has exited');
      return await browser.newContext({ javaScriptEnabled: false, ...options });
    },
    async close() {
      await first.close();
      await browser?.close();
      rmSync(userData, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

export type ClientSite = { origin: string; close(): Promise<void> };

/** A client's own site. By default it only serves a page for the browser to return to. */
export async function startClientSite(
  answer: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Client</title><h1>Back</h1>');
  },
  at: { host: string; port: number } = { host: '127.0.0.1', port: 0 },
): Promise<ClientSite> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(at.port, '127.0.0.1', resolve));
  return {
    origin: `http://${at.host}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
