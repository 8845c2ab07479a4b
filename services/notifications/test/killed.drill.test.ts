import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { useKillableService } from './support/killable-service.ts';

describe('Notifications after SIGKILL and a restart', function () {
  // each test starts two processes, which is slow on a busy machine
  this.timeout(60_000);
  const { around, smtp, start, kill, assign, states, passTime } = useKillableService();

  it('sends one e-mail if it was killed before the handoff', async () => {
    smtp().follow({ data: 'silence' });
    start();
    const performer = await assign();
    await waitFor(() => smtp().dataCommands() === 1, { timeoutMs: 20_000 });
    await kill();
    smtp().follow({});
    await passTime();
    start();
    await waitFor(() => smtp().arrived.length > 0, { timeoutMs: 20_000 });
    const [sent] = await waitFor(async () => {
      const rows = await states(performer.id);
      return rows[0]?.state === 'sent' && rows;
    });
    expect(sent).to.deep.equal({ type: 'task.assigned', state: 'sent', outcomes: ['abandoned', 'sent'] });
    expect(smtp().arrived).to.have.length(1);
  });

  it('writes one notification and sends one e-mail if it was killed while handling the event', async () => {
    start();
    // creates the queue
    await assign();
    await waitFor(() => smtp().arrived.length === 1, { timeoutMs: 20_000 });
    around().others.down.add('tasks');
    const performer = await assign();
    await waitFor(() => around().others.requests.filter((request) => request.startsWith('GET /tasks/')).length > 1);
    await kill();
    around().others.down.clear();
    start();
    await waitFor(
      async () => {
        await query(
          around().database.db.pool,
          'UPDATE inbox_pending SET next_attempt_at = now() WHERE next_attempt_at > now() AND lease_id IS NULL',
        );
        return smtp().arrived.length > 1;
      },
      { timeoutMs: 20_000 },
    );
    const rows = await waitFor(async () => {
      const found = await states(performer.id);
      return found[0]?.state === 'sent' && found;
    });
    expect(rows).to.have.length(1);
    expect(smtp().arrived).to.have.length(2);
  });
});
