import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { accountNotices, linkNotices, taskNotices } from '../check/notified.ts';

const readme = readFileSync(new URL('../../../services/notifications/README.md', import.meta.url), 'utf8');

/** The table of notification types, which a test of Notifications compares with the service. */
const table = readme
  .split('\n')
  .filter((line) => /^\| `(task|user|security)\./.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .map(([, type = '', event = '', recipient = '']) => ({ type, event, recipient }));

describe("The checker's notification rules", () => {
  it('have the task notifications of Notifications, with the same recipients', () => {
    const audience = (recipient: string) => [
      ...(recipient.includes('creator') ? ['creator'] : []),
      ...(recipient.includes('performer') ? ['named'] : []),
    ];
    const rows = table.filter(({ event }) => event.startsWith('tasks.'));
    expect(rows.map(({ event, recipient }) => [event, audience(recipient)])).to.deep.equal(
      Object.entries(taskNotices).map(([event, rule]) => [event, rule.audience]),
    );
    for (const { type, event } of rows) expect(type).to.equal(event.replace('tasks.', ''));
  });

  it('name account notifications of Notifications, each after its event', () => {
    const types = Object.fromEntries(table.map(({ event, type }) => [event, type]));
    for (const [event, type] of Object.entries(accountNotices)) expect(types[event], event).to.equal(type);
    for (const type of Object.values(linkNotices)) expect(Object.values(types)).to.include(type);
  });
});
