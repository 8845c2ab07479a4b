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
};
const publicUrl = 'https://taskwire.example/app';

function mailOf(type: keyof typeof definitions, changed: Partial<TemplateData> = {}) {
  const all = { ...templateData, ...changed };
  const mail = definitions[type].mail?.(templateInput(all));
  if (mail === undefined) throw new Error(`${type} has no mail`);
  return layOut(mail, { publicUrl, greeted: all.recipient });
}

describe('Templates', () => {
  for (const type of schemas.notificationTypes.filter((one) => definitions[one].inApp !== undefined)) {
    it(`say ${type} in the app, in at most a few lines`, () => {
      const { title = '', body = '' } = contentInApp(type, templateData) ?? {};
      expect(title).to.have.length.within(5, 60);
      expect(body).to.have.length.within(5, 200);
      if (type.startsWith('task.')) expect(body).to.include('Mia').and.to.include('Paint the fence');
    });
  }

  for (const type of schemas.notificationTypes.filter((one) => definitions[one].mail !== undefined)) {
    it(`say the same in text and HTML in the mail of ${type}, with a link`, () => {
      const { text, html } = mailOf(type);
      expect(text).to.include('Hello Ann,');
      expect(html).to.include('Hello <bdi dir="auto">Ann</bdi>,');
      expect(text).to.include('https://taskwire.example/app/');
      expect(html).to.include('href="https://taskwire.example/app/');
    });
  }

  for (const type of ['security.verify_email', 'security.reset_password'] as const) {
    it(`say ${type} by mail alone, with the whole link, and until when it works`, () => {
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

  it('do not send a mail to welcome somebody: the one mail of a new account verifies its address', () => {
    expect(definitions['user.welcome'].mail ?? definitions['user.welcome'].linkMail).to.equal(undefined);
  });

  for (const type of ['security.confirm_email', 'security.email_changed'] as const) {
    it(`say ${type} to an address that may be a stranger's, so without a word that a user wrote`, () => {
      const link = 'https://taskwire.example/oidc/account/confirm_email?token=twl_x';
      const requested = { at: '2026-11-20T20:15:42.123456Z', by: 'account_holder', network: null, browser: 'Firefox' };
      const given = { email: 'a@b.test', link, expiresAt: '2026-11-21T20:15:42.123456Z', requested };
      const { text, html } = layOut(definitions[type].linkMail!(given), { publicUrl });
      expect(text).to.include(`: ${link}\n`).and.include('until 2026-11-21 20:15 UTC');
      expect(text).to.include('on 2026-11-20 20:15 UTC with Firefox');
      for (const said of [text, html]) expect(said).not.to.include('Ann').and.not.to.include('Mia');
    });
  }
  it('tell former owners of an account who deleted it, and until when it can be restored', () => {
    const { text } = mailOf('security.account_deleted');
    expect(text).to.include('Mia deleted your Taskwire account.').and.include('until 2026-11-27 20:15 UTC');
    expect(mailOf('security.account_deleted', { isOwnAct: true }).text).to.include(
      'You deleted your Taskwire account.',
    );
    const forGood = mailOf('security.account_deleted', { restorableUntil: null });
    expect(forGood.text).to.include('cannot be restored').and.not.to.include('until');
    expect(definitions['security.account_deleted'].inApp).to.equal(undefined);
  });

  it('tell admins who made whom an administrator, also when they did it themselves, or nobody who was logged in', () => {
    const { text } = mailOf('security.admin_added');
    expect(text).to.include('Mia made Eve an administrator.');
    const own = mailOf('security.admin_added', { isOwnAct: true });
    expect(own.text).to.include('You made Eve an administrator.').and.include('If this was not you');
    const operators = mailOf('security.admin_added', { actor: null });
    expect(operators.text).to.include('An operator, on the command line, made Eve an administrator.');
  });

  it('tell people which role they have now, and who gave it to them', () => {
    expect(mailOf('security.role_changed').text).to.include('Mia changed your role in Taskwire to manager.');
    const own = mailOf('security.role_changed', { isOwnAct: true, role: 'member' });
    expect(own.text).to.include('You changed your own role in Taskwire to member.');
  });

  it('tell people whose account was restored how to get a password', () => {
    const { text } = mailOf('security.account_restored');
    expect(text).to.include('Mia restored your Taskwire account').and.include('/app/oidc/account/forgot');
  });

  it('do not send a mail when a task is started', () => {
    expect(definitions['task.started'].mail).to.equal(undefined);
  });

  it('name Taskwire as the one who did what no person did', () => {
    expect(mailOf('task.unassigned', { actor: null }).text).to.include('Taskwire took “Paint the fence” from you');
  });

  it('link to the task, and not to one that was deleted', () => {
    expect(mailOf('task.assigned').text).to.include('https://taskwire.example/app/tasks/t1');
    const deleted = mailOf('task.cancelled', { task: { id: 't1', title: 'Paint', isDeleted: true } });
    expect(deleted.text).to.include('“Paint”').and.not.to.include('/tasks/t1');
  });

  it('never make HTML or a second header line of what people wrote', () => {
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
