import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { waitFor } from '@taskwire/testing';
import { startChromium, type TestBrowser } from './chromium.ts';
import { allLogs, allRows, copyEvents, type EventCopies } from './secret-scan.ts';
import { demoPerson, logIn, mailsTo, newMember, send, type Person } from './front-end.ts';
import { expectFit, phoneIn } from './mobile-viewport.ts';
import { useSuite } from './suite.ts';

const patience = { timeoutMs: 30_000 };
type LinkPage = 'verify' | 'reset' | 'confirm_email' | 'undo_email';

const services = ['/api/v1/users/me', '/api/v1/tasks?limit=1', '/api/v1/notifications?limit=1'];

describe('The life cycle of an account, by mail and in Chromium', function () {
  this.timeout(120_000);
  const suite = useSuite();
  let chromium: TestBrowser;
  let context: BrowserContext;
  let copies: EventCopies;
  /** The token of every link that these tests mailed. */
  const tokens: string[] = [];

  before(async () => {
    chromium = await startChromium();
    copies = await copyEvents(suite(), 'account-copies');
  });
  after(async () => {
    await chromium.close();
    await copies.remove();
  });
  beforeEach(async () => {
    context = await chromium.fresh();
  });
  afterEach('every process runs', async () => {
    await context.close();
    for (const child of suite().processes) if (child.pid() === undefined) await child.start();
  });

  const post = async (path: string, body: object) => await send(suite().url, 'POST', `/api/v1/auth/${path}`, { body });

  /** The mailed links to this page, oldest first, as soon as the expected number has arrived. */
  async function links(email: string, name: LinkPage, count = 1): Promise<string[]> {
    const pattern = new RegExp(`${suite().url}/oidc/account/${name}\\?token=(twl_[\\w-]+)`);
    return await waitFor(async () => {
      const found = (await mailsTo(suite(), email)).flatMap(({ text }) => pattern.exec(text) ?? []);
      const [urls, secrets] = [
        found.filter((_, index) => index % 2 === 0),
        found.filter((_, index) => index % 2 === 1),
      ];
      tokens.push(...secrets);
      return urls.length >= count && urls;
    }, patience);
  }

  async function expectRefused(person: Person, path: string): Promise<void> {
    await waitFor(async () => (await person.call('GET', path)).status === 401, {
      timeoutMs: 1_500,
      what: `401 at ${path}`,
    });
  }

  /** Waits until every service has the user in its directory. */
  async function known(person: Person): Promise<Person> {
    for (const path of services) await waitFor(async () => (await person.call('GET', path)).status === 200, patience);
    return person;
  }

  async function reset(page: Page, link: string, password: string): Promise<void> {
    await page.goto(link);
    await page.getByLabel('New password').fill(password);
    await page.getByRole('button', { name: 'Set the password' }).click();
  }

  it('starts with a mail whose link verifies the address of a logged-in user at the press of a button', async () => {
    const person = await newMember(suite(), 'Vera Verify');
    const [link = ''] = await links(person.user.email, 'verify');
    const page = await context.newPage();
    await page.goto(link);
    await page.goto(link);
    expect((await person.call('GET', '/api/v1/users/me')).body.email_verified).to.equal(false);
    // as a front end in this browser would do
    const data = { email: person.user.email, password: person.password };
    expect((await context.request.post(`${suite().url}/api/v1/auth/login`, { data })).status()).to.equal(200);
    await page.goto(link);
    await page.getByRole('button', { name: 'Verify the address' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('The address is verified');
    expect((await person.call('GET', '/api/v1/users/me')).body.email_verified).to.equal(true);
    await page.goto(link);
    expect(await page.getByRole('heading').innerText()).to.equal('The address is verified');
    await page.goto(`${suite().url}/oidc/account/verify?token=x`);
    await page.getByRole('link', { name: 'Ask for a new link' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('Verify your e-mail address');
  });

  it("passes from a registrant with another person's address to its owner, by a mail that names the time of the registration", async () => {
    const stranger = await known(await newMember(suite(), 'Petra Planted'));
    const { email } = stranger.user;
    const [link = ''] = await links(email, 'verify');
    const [mail] = (await mailsTo(suite(), email)).filter(({ text }) => text.includes(link));
    expect(mail?.text).to.match(/A Taskwire account was registered with this address on \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(mail?.text).to.contain('the account will be deleted after');
    const page = await context.newPage();
    await page.goto(link);
    await page.getByRole('button', { name: 'I registered in this browser' }).click();
    expect(await page.getByRole('alert').innerText()).to.contain('This browser is not logged in');
    const password = randomUUID();
    await page.getByLabel('New password').fill(password);
    await page.getByRole('button', { name: 'Verify and set the password' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('The address is verified');
    for (const path of services) await expectRefused(stranger, path);
    expect((await post('refresh', { refresh_token: stranger.refreshToken })).status).to.equal(401);
    expect((await post('login', { email, password: stranger.password })).status).to.equal(401);
    const owner = await logIn(suite(), email, password);
    expect(owner.user.email_verified).to.equal(true);
  });

  it('moves to a new address by a mail to it, and back by a mail to the old address', async () => {
    const person = await known(await newMember(suite(), 'Mona Moves'));
    const old = person.user.email;
    const wanted = `${randomUUID()}@taskwire.test`;
    const body = { email: wanted, current_password: person.password };
    const path = `/api/v1/users/${person.user.id}`;
    const asked = await person.call('PATCH', path, body, { 'if-match': '*' });
    expect(asked.body).to.include({ email: old, pending_email: wanted });
    const [confirmation = ''] = await links(wanted, 'confirm_email');
    const warned = 'A new e-mail address was requested for your account';
    await waitFor(async () => (await mailsTo(suite(), old)).some(({ subject }) => subject === warned), patience);
    const page = await context.newPage();
    await page.goto(confirmation);
    await page.getByLabel('Password of the account').fill(person.password);
    await page.getByRole('button', { name: 'Use this address' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('The address has changed');
    const moved = await logIn(suite(), wanted, person.password);

    const [undo = ''] = await links(old, 'undo_email');
    await page.goto(undo);
    await page.getByRole('button', { name: 'Undo the change' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('The change is undone');
    for (const one of services) await expectRefused(moved, one);
    await page.getByRole('link', { name: 'Set a new password now' }).click();
    const password = randomUUID();
    await page.getByLabel('New password').fill(password);
    await page.getByRole('button', { name: 'Set the password' }).click();
    expect(await page.getByRole('heading').innerText()).to.equal('The password is set');
    expect((await logIn(suite(), old, password)).user).to.include({ id: person.user.id, email: old });
    expect((await post('login', { email: wanted, password: person.password })).status).to.equal(401);
  });

  it('gets a new password by mail after a forgotten one, and earlier sessions and the old password end', async () => {
    const person = await known(await newMember(suite(), 'Rita Reset'));
    const page = await context.newPage();
    await page.goto(`${suite().url}/oidc/account/forgot`);
    await page.getByLabel('E-mail address').fill('unknown@taskwire.test');
    await page.getByRole('button', { name: 'Send the mail' }).click();
    const shown = await page.getByRole('status').innerText();
    await page.goBack();
    await page.getByLabel('E-mail address').fill(person.user.email.toUpperCase());
    await page.getByRole('button', { name: 'Send the mail' }).click();
    expect(await page.getByRole('status').innerText()).to.equal(shown);

    const [link = ''] = await links(person.user.email, 'reset');
    const password = randomUUID();
    await reset(page, link, 'short');
    // the browser also checks this rule, and does not send the form
    expect(await page.getByRole('heading').innerText()).to.equal('Set a new password');
    await reset(page, link, password);
    expect(await page.getByRole('heading').innerText()).to.equal('The password is set');
    for (const path of services) await expectRefused(person, path);
    expect((await post('refresh', { refresh_token: person.refreshToken })).status).to.equal(401);
    expect((await post('login', { email: person.user.email, password: person.password })).status).to.equal(401);
    const again = await known(await logIn(suite(), person.user.email, password));
    expect(again.user.email_verified).to.equal(true);
    await page.goto(link);
    expect(await page.getByRole('alert').innerText()).to.contain('It was used already');
    await waitFor(async () =>
      (await mailsTo(suite(), person.user.email)).some(({ subject }) => subject === 'Your password was changed'),
    );
  });

  it('has one working link, however many are requested', async () => {
    const person = await newMember(suite(), 'Max Many');
    for (let count = 1; count <= 3; count++) {
      await post('forgot_password', { email: person.user.email });
      await links(person.user.email, 'reset', count);
    }
    const all = await links(person.user.email, 'reset', 3);
    const answers = [];
    for (const link of all) {
      const token = new URL(link).searchParams.get('token');
      answers.push((await post('reset_password', { token, new_password: randomUUID() })).status);
    }
    expect(answers).to.deep.equal([422, 422, 204]);
  });

  it('ends all access within a second of a password change, except for the new session', async () => {
    const person = await known(await newMember(suite(), 'Carl Change'));
    const elsewhere = await known(await logIn(suite(), person.user.email, person.password));
    const body = { current_password: person.password, new_password: randomUUID() };
    const changed = await person.call('POST', '/api/v1/auth/change_password', body);
    expect(changed.status).to.equal(200);
    for (const path of services) {
      await Promise.all([expectRefused(person, path), expectRefused(elsewhere, path)]);
      expect((await send(suite().url, 'GET', path, { token: changed.body.access_token })).status, path).to.equal(200);
    }
  });

  it('ends all access within a second of a log-out everywhere, permanently, even if Auth is then killed', async () => {
    const person = await known(await newMember(suite(), 'Lou Logout'));
    const elsewhere = await known(await logIn(suite(), person.user.email, person.password));
    const neighbour = await demoPerson(suite(), 'ben');
    expect((await person.call('POST', '/api/v1/auth/logout_everywhere')).status).to.equal(204);
    for (const path of services) await Promise.all([expectRefused(person, path), expectRefused(elsewhere, path)]);
    await suite().process('auth').kill();
    for (const path of services.slice(1)) {
      for (const one of [person, elsewhere]) expect((await one.call('GET', path)).status, path).to.equal(401);
      expect((await neighbour.call('GET', path)).status, path).to.equal(200);
    }
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has pages that fit a phone in ${colorScheme}, need only a keyboard, and obey their policy`, async () => {
      const person = await newMember(suite(), 'Pia Phone');
      const phone = await chromium.fresh({ ...phoneIn(colorScheme), javaScriptEnabled: true });
      const page = await phone.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      try {
        await page.goto(`${suite().url}/oidc/account/forgot`);
        await expectFit(page);
        await page.locator('#email:focus').waitFor();
        await page.keyboard.type(person.user.email);
        await page.keyboard.press('Enter');
        await page.getByRole('status').waitFor();
        await expectFit(page);
        const [verification = ''] = await links(person.user.email, 'verify');
        await page.goto(verification);
        await expectFit(page);
        const wanted = `${randomUUID()}@taskwire.test`;
        const body = { email: wanted, current_password: person.password };
        await person.call('PATCH', `/api/v1/users/${person.user.id}`, body, { 'if-match': '*' });
        await page.goto((await links(wanted, 'confirm_email'))[0] ?? '');
        await expectFit(page);
        await page.goto((await links(person.user.email, 'reset'))[0] ?? '');
        await expectFit(page);
        expect(complaints.filter((text) => !/favicon|status of 4/.test(text))).to.deep.equal([]);
        await page.locator('#new_password:focus').waitFor();
        await page.keyboard.type('password1');
        await page.keyboard.press('Enter');
        const alert = page.getByRole('alert');
        expect(await alert.innerText()).to.contain('too easy to guess');
        const field = page.getByLabel('New password');
        expect(await field.getAttribute('aria-describedby')).to.equal(await alert.getAttribute('id'));
        await expectFit(page);
        await page.goto(`${suite().url}/oidc/account/verify?token=x`);
        await page.getByRole('link', { name: 'Ask for a new link' }).waitFor();
        await expectFit(page);
      } finally {
        await phone.close();
      }
    });
  }

  it('leaves no link in any database, log or queue', async () => {
    const bodies = await copies.bodies();
    expect(bodies.filter((one) => one.includes('auth.account.password_reset_requested'))).to.have.length.above(3);
    const kept = new Map([...(await allRows(suite())), ...allLogs(), ['the queue', bodies.join('\n')]]);
    expect([...kept.keys()]).to.include.members([
      'auth.account_links',
      'notifications.deliveries',
      'nginx/access.log',
      'logs/auth.log',
    ]);
    expect(kept.get('auth.account_links')).to.have.length.above(100);
    expect(kept.get('nginx/access.log')).to.contain('/oidc/account/reset');
    const secrets = [...new Set(tokens)];
    expect(secrets).to.have.length.above(5);
    for (const token of secrets) {
      const [id, mac] = [
        Buffer.from(token.slice(4), 'base64url').subarray(0, 16),
        Buffer.from(token.slice(4), 'base64url').subarray(16),
      ];
      // the id is not a secret, so searching for it must succeed
      const uuid = id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      for (const place of ['auth.account_links', 'notifications.notifications', 'the queue']) {
        expect(kept.get(place)?.includes(uuid), `${place} names the link`).to.equal(true);
      }
      const hexOfText = Buffer.from(token).toString('hex');
      for (const secret of [token, token.slice(-40), hexOfText, mac.toString('hex'), mac.toString('base64')]) {
        for (const [place, text] of kept) expect(text.includes(secret), `${place} has a token`).to.equal(false);
      }
    }
  });
});
