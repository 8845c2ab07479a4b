import { readFileSync } from 'node:fs';
import { subscriptions } from '@taskwire/contracts';
import { expect } from 'chai';
import type { NotificationDefinition } from '../src/app/notifications/definition.ts';
import { definitions, taskNotifications } from '../src/app/notifications/definitions.ts';

const all = Object.entries(definitions);

describe('The definitions of notifications', () => {
  it('are listed in the README as they are', () => {
    const lines = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n');
    const rows = lines.filter((line) => /^\| `(task|comment|user|security)\./.test(line)).map((line) => cells(line));
    expect(rows).to.deep.equal(all.map(([type, definition]) => rowOf(type, definition)));
  });

  it('have events that the queue of this service is bound to', () => {
    // `*` is one word of a routing key, `#` any number of words
    const patterns = subscriptions.notifications.map(
      (pattern) => new RegExp(`^${pattern.replace(/[.*#]/g, (sign) => ({ '.': '\\.', '*': '[^.]+' })[sign] ?? '.*')}$`),
    );
    const unbound = all.filter(([, one]) =>
      eventsOf(one).some((event) => !patterns.some((pattern) => pattern.test(event))),
    );
    expect(unbound.map(([type]) => type)).to.deep.equal([]);
  });

  it('include one for each task event, and for a comment that of a mention first', () => {
    const types = [...taskNotifications].map(([event, list]) => [event, ...list.map(({ type }) => type)]);
    expect(types.filter((one) => one.length > 2)).to.deep.equal([
      ['tasks.comment.added', 'comment.mentioned', 'comment.added'],
    ]);
  });
});

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function eventsOf(definition: NotificationDefinition): readonly string[] {
  return definition.about === 'task' ? definition.events : [definition.event];
}

function rowOf(type: string, definition: NotificationDefinition): string[] {
  const { recipient, deliveryPolicy, ...texts } = definition;
  const hasMail = texts.mail !== undefined || texts.linkMail !== undefined;
  const policies = { keep_unknown: 'not sent again', resend_once: 'sent once more' };
  const mails = texts.inApp === undefined ? 'only' : hasMail ? 'yes' : 'no';
  const events = eventsOf(definition)
    .map((event) => `\`${event}\``)
    .join(', ');
  return [`\`${type}\``, events, recipient, mails, hasMail ? policies[deliveryPolicy] : ''];
}
