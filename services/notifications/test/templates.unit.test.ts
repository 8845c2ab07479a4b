import { schemas } from '@taskwire/contracts';
import { expect } from 'chai';
import fc from 'fast-check';
import type { TemplateData } from '../src/app/notification-types.ts';
import { layOut } from '../src/channels/email/layout.ts';
import { templateInput } from '../src/app/notifications/template.ts';
import { definitions, contentInApp } from '../src/app/notifications/definitions.ts';

const templateData: TemplateData = {
  task: { id: 't1', title: 'Paint the fence', isDeleted: false },
  actor: 'Mia',
  recipient: 'Ann',
  subject: 'Eve',
  role: 'manager',
  restorableUntil: '2026-11-27T20:15:42.123456Z',
  due: { at: '2026-11-30T22:59:59.999999Z', timeZone: 'Europe/Berlin', isAllDay: true },
};
const publicUrl = 'https://taskwire.example/app';

function mailOf(type: keyof typeof definitions, changed: Partial<TemplateData> = {}) {
  const all = { ...templateData, ...changed };
  const mail = definitions[type].mail?.(templateInput(all));
  if (mail === undefined) throw new Error(`${type} has no mail`);
  return layOut(mail, { publicUrl, greeted: all.recipient });
}

describe('Notification texts', () => {
  for (const type of schemas.notificationTypes.filter((one) => definitions[one].inApp !== undefined)) {
    it(`describe ${type} in the app in a few lines at most`, () => {
      const { title = '', body = '' } = contentInApp(type, templateData) ?? {};
      expect(title).to.have.length.within(5, 60);
      expect(body).to.have.length.within(5, 200);
      if (type.startsWith('task.')) expect(body).to.include('Paint the fence');
      // a due date has no actor
      const isReminder = type === 'task.due_soon' || type === 'task.overdue';
      if (type.startsWith('task.')) expect(body).to.include(isReminder ? '2026-11-30' : 'Mia');
    });
  }

  for (const type of schemas.notificationTypes.filter((one) => definitions[one].mail !== undefined)) {
    it(`have the same content in text and HTML in the mail of ${type}, with a link`, () => {
      const { text, html } = mailOf(type);
      expect(text).to.include('Hello Ann,');
      expect(html).to.include('Hello <bdi dir="auto">Ann</bdi>,');
      expect(text).to.include('https://taskwire.example/app/');
      expect(html).to.include('href="https://taskwire.example/app/');
    });
  }

  for (const type of ['security.verify_email', 'security.reset_password'] as const) {
    it(`describe ${type} by mail only, with the complete link and its expiry`, () => {
      const link = 'https://taskwire.example/oidc/account/verify?token=twl_x&y';
      const template = definitions[type];
      const mail = template.linkMail?.({ email: 'a@b.test', link, expiresAt: '2026-11-21T20:15:42.123456Z' });
      const { text, html } = layOut(mail!, { publicUrl });
      expect(template.inApp).to.equal(undefined);
      expect(text).to.include('Hello,\n').and.include(`: ${link}\n`).and.include('until 2026-11-21 20:15 UTC');
      expect(html)
        .to.include('<p>Hello,</p>')
        .and.include('href="https://taskwire.example/oidc/account/verify?token=twl_x&amp;y"');
    });
  }

  it('include no welcome mail: the only mail for a new account verifies its address', () => {
    expect(definitions['user.welcome'].mail ?? definitions['user.welcome'].linkMail).to.equal(undefined);
  });

  for (const type of ['security.confirm_email', 'security.email_changed'] as const) {
    it(`contain no user-written text in ${type}, whose address may be a stranger's`, () => {
      const link = 'https://taskwire.example/oidc/account/confirm_email?token=twl_x';
      const requested = { at: '2026-11-20T20:15:42.123456Z', by: 'account_holder', network: null, browser: 'Firefox' };
      const given = { email: 'a@b.test', link, expiresAt: '2026-11-21T20:15:42.123456Z', requested };
      const { text, html } = layOut(definitions[type].linkMail!(given), { publicUrl });
      expect(text).to.include(`: ${link}\n`).and.include('until 2026-11-21 20:15 UTC');
      expect(text).to.include('on 2026-11-20 20:15 UTC with Firefox');
      for (const said of [text, html]) expect(said).not.to.include('Ann').and.not.to.include('Mia');
    });
  }
  it('name the actor of a deletion, and the time until which the account can be restored', () => {
    const { text } = mailOf('security.account_deleted');
    expect(text).to.include('Mia deleted your Taskwire account.').and.include('until 2026-11-27 20:15 UTC');
    expect(mailOf('security.account_deleted', { isOwnAct: true }).text).to.include(
      'You deleted your Taskwire account.',
    );
    const forGood = mailOf('security.account_deleted', { restorableUntil: null });
    expect(forGood.text).to.include('cannot be restored').and.not.to.include('until');
    expect(definitions['security.account_deleted'].inApp).to.equal(undefined);
  });

  it('name a new administrator and the actor: another admin, the reader, or the command line', () => {
    const { text } = mailOf('security.admin_added');
    expect(text).to.include('Mia made Eve an administrator.');
    const own = mailOf('security.admin_added', { isOwnAct: true });
    expect(own.text).to.include('You made Eve an administrator.').and.include('If this was not you');
    const operators = mailOf('security.admin_added', { actor: null });
    expect(operators.text).to.include('An operator, on the command line, made Eve an administrator.');
  });

  it('name the new role of a user, and the actor', () => {
    expect(mailOf('security.role_changed').text).to.include('Mia changed your role in Taskwire to manager.');
    const own = mailOf('security.role_changed', { isOwnAct: true, role: 'member' });
    expect(own.text).to.include('You changed your own role in Taskwire to member.');
  });

  it('explain how to get a password after a restoration', () => {
    const { text } = mailOf('security.account_restored');
    expect(text).to.include('Mia restored your Taskwire account').and.include('/app/oidc/account/forgot');
  });

  it('include no mail for a started task', () => {
    expect(definitions['task.started'].mail).to.equal(undefined);
  });

  it('name Taskwire as the actor of changes by the system', () => {
    expect(mailOf('task.unassigned', { actor: null }).text).to.include('Taskwire took “Paint the fence” from you');
  });

  it('give a due date in its time zone, or in UTC, and without a time if the task is due all day', () => {
    const due = { at: '2026-11-30T22:59:59.999999Z', timeZone: 'Europe/Berlin', isAllDay: false };
    expect(mailOf('task.overdue').text).to.include('“Paint the fence” was due on 2026-11-30, and is not completed.');
    const texts = [due, { ...due, timeZone: null }, { ...due, timeZone: 'Mars/Olympus_Mons', isAllDay: true }].map(
      (given) => mailOf('task.due_soon', { due: given }).text,
    );
    expect(texts[0]).to.include('is due on 2026-11-30 23:59 (Europe/Berlin).');
    for (const text of texts.slice(1)) expect(text).to.include('is due on 2026-11-30 22:59 UTC.');
  });

  it('link to the task, but not to a deleted one', () => {
    expect(mailOf('task.assigned').text).to.include('https://taskwire.example/app/tasks/t1');
    const deleted = mailOf('task.cancelled', { task: { id: 't1', title: 'Paint', isDeleted: true } });
    expect(deleted.text).to.include('“Paint”').and.not.to.include('/tasks/t1');
  });

  it('never turn user-written text into HTML or a second header line', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '<script>alert(1)</script>',
        '"><img src=x onerror=alert(1)>',
        'a\r\nBcc: x@y.z',
        '</title>',
        '&lt;b&gt;',
      ),
    );
    const shape = (html: string) => html.match(/<[^>]*>/g)?.map((tag) => tag.replace(/href="[^"]*"/, 'href'));
    const harmless = shape(mailOf('task.assigned').html);
    fc.assert(
      fc.property(hostile, hostile, hostile, (title, actor, recipient) => {
        const task = { id: 't1', title, isDeleted: false };
        const { subject, html } = mailOf('task.assigned', { task, actor, recipient });
        expect(shape(html)).to.deep.equal(harmless);
        expect(subject).to.match(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u);
        expect([...subject].length).to.be.at.most(150);
      }),
    );
  });
});
