import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { startChromium, type TestBrowser } from './chromium.ts';
import { demoPerson, newMember, type Person, type Task, type User } from './front-end.ts';
import { useSuite } from './suite.ts';

describe('A browser that two users use one after the other', () => {
  const suite = useSuite();
  let chromium: TestBrowser;
  let context: BrowserContext;
  let page: Page;
  let ann: Person;
  let ben: Person;

  before(async function () {
    this.timeout(60_000);
    chromium = await startChromium();
    context = await chromium.fresh({ javaScriptEnabled: true });
    page = await context.newPage();
    [ann, ben] = [await newMember(suite(), 'Ann First'), await newMember(suite(), 'Ben Second')];
    // any page of the origin, so that its scripts call the API as a front end does
    await page.goto(`${suite().url}/docs/problems`);
  });
  after(async () => {
    await context.close();
    await chromium.close();
  });

  /** The response that a front end shows the user for a path, possibly from Chromium's cache. */
  async function shown<B>(person: Person, path: string): Promise<B> {
    return (await page.evaluate(
      async ([address, token]) => {
        const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
        return await response.json();
      },
      [path, person.token] as const,
    )) as B;
  }

  it("shows each of them their own account, never the other's", async () => {
    for (const person of [ann, ben, ann, ben]) {
      expect(await shown<User>(person, '/api/v1/users/me')).to.include({ id: person.user.id, name: person.user.name });
    }
  });

  it('shows the current name of a user in a task that the browser has stored', async () => {
    const cleo = await newMember(suite(), 'Cleo Old');
    const { body: task } = await cleo.call<Task>('POST', '/api/v1/tasks', { title: 'Sharpen the saw' });
    const name = async () => (await shown<Task>(ann, `/api/v1/tasks/${task.id}`)).creator.name;
    const until = Date.now() + 10_000;
    while ((await name()) !== 'Cleo Old') if (Date.now() > until) expect.fail('the first name is never shown');
    await cleo.call('PATCH', `/api/v1/users/${cleo.user.id}`, { name: 'Cleo New' }, { 'if-match': '*' });
    while ((await name()) !== 'Cleo New') if (Date.now() > until) expect.fail('the new name is never shown');
  });

  it('keeps nothing of accounts, notifications and the audit log', async () => {
    const admin = await demoPerson(suite(), 'admin');
    const paths = ['/api/v1/users/me', `/api/v1/users/${ann.user.id}`, '/api/v1/users', '/api/v1/admin/audit'];
    for (const path of [...paths, '/api/v1/notifications']) {
      const { status, headers } = await admin.call('GET', path);
      expect([status, headers.get('cache-control')], path).to.deep.equal([200, 'no-store']);
      expect(headers.get('vary'), path)
        .to.match(/Authorization/)
        .and.to.match(/Origin/);
    }
  });
});
