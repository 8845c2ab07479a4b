import { randomUUID } from 'node:crypto';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { logIn, mailsTo, newMember, send } from './front-end.ts';
import { allRows } from './secret-scan.ts';
import { useSuite } from './suite.ts';

const patience = { timeoutMs: 30_000 };

describe('An account whose mail is requested while processes end', function () {
  this.timeout(120_000);
  const suite = useSuite();

  afterEach('every process runs', async () => {
    for (const child of suite().processes) if (child.pid() === undefined) await child.start();
  });

  const post = async (path: string, body: object) => await send(suite().url, 'POST', `/api/v1/auth/${path}`, { body });

  /** The mailed links to this page, as soon as one has arrived. */
  async function links(email: string, name: 'verify' | 'reset'): Promise<string[]> {
    const pattern = new RegExp(`${suite().url}/oidc/account/${name}\\?token=twl_[\\w-]+`);
    return await waitFor(async () => {
      const found = (await mailsTo(suite(), email)).flatMap(({ text }) => pattern.exec(text)?.[0] ?? []);
      return found.length > 0 && found;
    }, patience);
  }

  it('gets its mail although Notifications is killed before the request, and again while it handles it', async () => {
    const person = await newMember(suite(), 'Kim Killed');
    await links(person.user.email, 'verify');
    await suite().process('notifications').kill();
    expect((await post('forgot_password', { email: person.user.email })).status).to.equal(202);
    await suite().process('notifications').start();
    await suite().process('notifications').kill();
    await suite().process('notifications').start();
    const [link = ''] = await links(person.user.email, 'reset');
    const password = randomUUID();
    const token = new URL(link).searchParams.get('token');
    expect((await post('reset_password', { token, new_password: password })).status).to.equal(204);
    await logIn(suite(), person.user.email, password);
  });

  it('gets its mail once Auth can supply the link again', async () => {
    const person = await newMember(suite(), 'Ada Away');
    await suite().process('mail').stop();
    await post('forgot_password', { email: person.user.email });
    const delivery = async () =>
      (await allRows(suite())).get('notifications.notifications')?.includes('security.reset_password');
    await waitFor(delivery, patience);
    await suite().process('auth').kill();
    await suite().process('mail').start();
    await suite().process('auth').start();
    await links(person.user.email, 'reset');
  });
});
