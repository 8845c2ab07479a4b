import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Page, Request } from 'playwright-core';
import { authCommand } from './auth-command.ts';
import { startChromium, startClientSite, type ClientSite, type TestBrowser } from './chromium.ts';
import { newMember, type Person } from './front-end.ts';
import { useSuite } from './suite.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('The example page from another origin in Chromium, with the compiled client', function () {
  this.timeout(60_000);
  const suite = useSuite();
  let folder: string;
  let chromium: TestBrowser;
  let site: ClientSite;
  let person: Person;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'taskwire-client-'));
    execFileSync(process.execPath, [
      '--no-warnings',
      join(root, 'packages/client/scripts/build.ts'),
      'client',
      join(folder, 'built'),
    ]);
    const compiled = readFileSync(join(folder, 'built/index.js'));
    const page = readFileSync(join(root, 'examples/browser-page/index.html'));
    const [origin = ''] = suite().corsOrigins;
    const config = JSON.stringify({ baseUrl: suite().url, clientId: 'example-page' });
    [chromium, site] = await Promise.all([
      startChromium(),
      startClientSite(
        (request, response) => {
          if (request.url === '/taskwire-client.js')
            response.writeHead(200, { 'content-type': 'text/javascript' }).end(compiled);
          else if (request.url === '/config.json')
            response.writeHead(200, { 'content-type': 'application/json' }).end(config);
          else
            response
              .writeHead(200, { 'content-type': 'text/html' })
              .end(request.url === '/empty' ? '<!doctype html><title>Empty</title>' : page);
        },
        { host: 'localhost', port: Number(new URL(origin).port) },
      ),
    ]);
    await authCommand(
      suite(),
      ...['client', 'add', '--id', 'example-page', '--public', '--redirect-uri', `${site.origin}/callback`],
      ...['--grant', 'urn:taskwire:api=tasks:read,tasks:write,notifications:read,account:read'],
    );
    person = await newMember(suite(), 'Paula Page');
  });
  after(async () => {
    await chromium.close();
    await site.close();
    rmSync(folder, { recursive: true });
  });

  it('logs in with OpenID Connect, creates and lists tasks, and shows the facts about a response', async () => {
    const context = await chromium.fresh({ javaScriptEnabled: true });
    const page = await context.newPage();
    // the page asks the provider silently once, is refused, and does not ask again
    await page.goto(`${site.origin}/tasks`);
    await page.getByText('Logged out').waitFor();
    expect(page.url()).to.equal(`${site.origin}/tasks`);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('E-mail address').fill(person.user.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('Logged in as Paula Page, unread notifications:').waitFor();
    expect(page.url(), 'the address before the log-in').to.equal(`${site.origin}/tasks`);
    const title = `From a page ${Date.now()}`;
    await page.getByLabel('Title').fill(title);
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Created:').waitFor();
    expect(await page.locator('#state').textContent()).to.match(/^Created: "1-[^"]+", request [0-9a-f]{32}$/);
    expect(await page.locator('#tasks li').first().textContent()).to.equal(title);

    await context.close();
  });

  it('lets a page of another origin read the headers that a client needs', async () => {
    const context = await chromium.fresh({ javaScriptEnabled: true });
    const page = await context.newPage();
    await page.goto(`${site.origin}/empty`);
    const read = await page.evaluate(
      async ({ url, token, userId, key }) => {
        const send = async (method: string, path: string, body: object, headers: Record<string, string>) =>
          await fetch(`${url}${path}`, {
            method,
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
            body: JSON.stringify(body),
          });
        const create = async () =>
          await send('POST', '/api/v1/tasks', { title: 'Headers' }, { 'idempotency-key': key });
        await create();
        const replayed = await create();
        const { id } = (await replayed.json()) as { id: string };
        // more changes of the name than an account may make in an hour
        let limited = replayed;
        for (let number = 0; number < 30 && limited.status !== 429; number++)
          limited = await send('PATCH', `/api/v1/users/${userId}`, { name: `Paula ${number}` }, { 'if-match': '*' });
        return {
          id,
          status: limited.status,
          retryAfter: limited.headers.get('retry-after'),
          ...Object.fromEntries(replayed.headers),
        };
      },
      { url: suite().url, token: person.token, userId: person.user.id, key: `key-${Date.now()}` },
    );
    expect(read).to.include({ location: `/api/v1/tasks/${read.id}`, 'idempotency-replayed': 'true', status: 429 });
    expect(read).to.have.property('etag').that.matches(/^"1-/);
    expect(read)
      .to.have.property('x-request-id')
      .that.matches(/^[0-9a-f]{32}$/);
    expect(Number(read.retryAfter)).to.be.within(1, 3600);
    await context.close();
  });

  it('renews for one tab at a time, by the lock of the browser, and keeps both logged in', async () => {
    const context = await chromium.fresh({ javaScriptEnabled: true });
    let [refreshes, underWay, mostAtOnce] = [0, 0, 0];
    const isRefresh = (request: Request) => request.method() === 'POST' && request.url().endsWith('/auth/refresh');
    context.on('request', (request) => {
      if (!isRefresh(request)) return;
      refreshes += 1;
      underWay += 1;
      mostAtOnce = Math.max(mostAtOnce, underWay);
    });
    context.on('response', (response) => {
      if (isRefresh(response.request())) underWay -= 1;
    });
    const tabs = await Promise.all([context.newPage(), context.newPage()]);
    /** Runs a call in a tab, with a session that is kept in the localStorage that the tabs share. */
    const inTab = async (tab: Page | undefined, call: string) =>
      await tab?.evaluate(`import('/taskwire-client.js').then(async ({ passwordSession, Taskwire }) => {
        const load = () => JSON.parse(localStorage.getItem('tokens') ?? 'null') ?? undefined;
        const save = (tokens) => localStorage.setItem('tokens', JSON.stringify(tokens));
        const session = passwordSession({ store: { load, save, clear: () => localStorage.removeItem('tokens') } });
        const tw = new Taskwire({ baseUrl: ${JSON.stringify(suite().url)}, auth: session });
        return await ${call};
      })`);
    for (const tab of tabs) await tab.goto(`${site.origin}/empty`);
    const { email } = person.user;
    await inTab(tabs[0], `session.login(${JSON.stringify(email)}, ${JSON.stringify(person.password)})`);
    // as if the token's lifetime had passed
    await inTab(tabs[0], 'save({ ...load(), receivedAt: Date.now() - 2 * load().expiresInMs })');
    const users = await Promise.all(tabs.map(async (tab) => await inTab(tab, 'tw.users.me()')));
    expect(users.map((user) => (user as { email: string }).email)).to.deep.equal([email, email]);
    expect(mostAtOnce).to.equal(1);
    // a tab may see the other one's localStorage late; Auth returns the same successor to it
    expect(refreshes).to.be.within(1, 2);
    await context.close();
  });
});
