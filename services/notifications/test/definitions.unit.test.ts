import { readFileSync } from 'node:fs';
import { subscriptions } from '@taskwire/contracts';
import { expect } from 'chai';
import type { NotificationDefinition } from '../src/app/notifications/definition.ts';
import { definitions } from '../src/app/notifications/definitions.ts';

const all = Object.entries(definitions);

describe('The definitions of notifications', () => {
  it('are listed in the README as they are', () => {
    const lines = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n');
    const rows = lines.filter((line) => /^\| `(task|user|security)\./.test(line)).map((line) => cells(line));
    expect(rows).to.deep.equal(all.map(([type, definition]) => rowOf(type, definition)));
  });

  it('have events that the queue of this service is bound to', () => {
    // `*` is one word of a routing key, `#` any number of words
    const patterns = subscriptions.notifications.map(
      (pattern) => new RegExp(`^${pattern.replace(/[.*#]/g, (sign) => ({ '.': '\\.', '*': '[^.]+' })[sign] ?? '.*')}$`),
    );
    const unbound = all.filter(([, { event }]) => !patterns.some((pattern) => pattern.test(event)));
    expect(unbound.map(([type]) => type)).to.deep.equal([]);
  });

  it('include at most one for each task event, because the handler of an event plans only one', () => {
    const taskEvents = all.flatMap(([, one]) => (one.about === 'task' ? [one.event] : []));
    expect(taskEvents).to.have.length(new Set(taskEvents).size);
  });
});

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function rowOf(type: string, { event, recipient, deliveryPolicy, ...texts }: NotificationDefinition): string[] {
  const hasMail = texts.mail !== undefined || texts.linkMail !== undefined;
  const policies = { keep_unknown: 'not sent again', resend_once: 'sent once more' };
  const mails = texts.inApp === undefined ? 'only' : hasMail ? 'yes' : 'no';
  return [`\`${type}\``, `\`${event}\``, recipient, mails, hasMail ? policies[deliveryPolicy] : ''];
}
