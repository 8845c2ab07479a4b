import { expect } from 'chai';
import { check } from '../check/check.ts';
import type { Evidence } from '../evidence.ts';
import { ann, brokenBy, smallRun } from './small-run.ts';

const at = '2026-11-20T10:00:05.000000Z';
const messageId = 'message-link';

/** Ann is mailed a link to verify her address. */
function withLink(run: Evidence): void {
  run.world.links.push({ id: 'link', user_id: ann, purpose: 'verify_email', created_at: at, is_void: false });
  const type = 'auth.account.verification_requested';
  run.events.push({ messageId, type, aggregateId: 'link', timestamp: at, actor: null, named: null });
  run.world.inbox.push({ service: 'notifications', message_id: messageId, handler: type, received_at: at });
  run.world.notifications.push({
    ...{ id: 'notification-link', event_id: messageId, user_id: ann, type: 'security.verify_email' },
    ...{ task_id: null, created_at: at, is_in_app: false },
  });
  run.world.deliveries.push({
    ...{ notification_id: 'notification-link', user_id: ann, channel: 'email' },
    ...{ state: 'sent', unknown_outcomes: 0, last_error: null },
  });
  run.mails.push({ id: 'notification-link', to: 'u1@chaos.test' });
  run.world.listedNotifications.push({ userId: ann, ids: ['notification-welcome', 'notification-assigned'] });
}

describe('the checker of chaos runs, on mailed links', () => {
  it('accepts a link that was mailed and is not shown in the app', () => {
    const run = smallRun();
    withLink(run);
    expect(check(run)).deep.equal([]);
  });

  it('finds a link without an event, or without a mail', () => {
    const unpublished = brokenBy((run) => {
      withLink(run);
      run.events.pop();
    });
    expect(unpublished).include('every change is published once');
    const unmailed = brokenBy((run) => {
      withLink(run);
      run.world.notifications.pop();
    });
    expect(unmailed).include('each recipient is notified once');
  });

  it('finds a skipped mail only while its link is valid', () => {
    const skipped = (isVoid: boolean) =>
      brokenBy((run) => {
        withLink(run);
        run.mails.pop();
        run.world.deliveries.at(-1)!.state = 'skipped';
        run.world.links[0]!.is_void = isVoid;
      });
    expect(skipped(false)).deep.equal(['mails are not duplicated']);
    expect(skipped(true)).deep.equal([]);
  });
});

describe('the checker of chaos runs, on ends of access', () => {
  function ending(publishedAt: string | null): (run: Evidence) => void {
    return (run) => {
      const user = run.world.users.find(({ id }) => id === ann)!;
      user.tokens_valid_after = at;
      if (publishedAt === null) return;
      const type = 'auth.account.access_ended';
      run.events.push({ messageId, type, aggregateId: 'end', timestamp: publishedAt, actor: null, named: ann });
      for (const service of ['tasks', 'notifications'] as const) {
        run.world.inbox.push({ service, message_id: messageId, handler: type, received_at: at });
      }
    };
  }

  it('accepts an end of access whose event has its time', () => {
    expect(brokenBy(ending(at))).deep.equal([]);
  });

  it('finds an end of access without an event, or whose event has a different time', () => {
    expect(brokenBy(ending(null))).deep.equal(['every change is published once']);
    expect(brokenBy(ending('2026-11-20T10:00:04.000000Z'))).deep.equal(['every change is published once']);
  });
});

describe('the checker of chaos runs, on takeovers', () => {
  it('finds a takeover that took too long', () => {
    expect(brokenBy(({ takeovers }) => void (takeovers[0]!.ms = 5_001))).deep.equal([
      'a standby takes over within 5 s',
    ]);
  });
});

describe('the checker of chaos runs, on crashes', () => {
  it('finds a process that ended without being killed', () => {
    const crash = { process: 'tasks', how: 'ended with exit code 1', errors: ['uncaught exception'] };
    expect(brokenBy(({ crashes }) => void crashes.push(crash))).deep.equal(['no process ends by itself']);
  });
});
