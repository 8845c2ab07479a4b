import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { useKillableService } from './support/killable-service.ts';

describe('Notifications after SIGKILL and a restart', function () {
  // each test starts two processes, which is slow on a busy machine
  this.timeout(60_000);
  const { smtp, start, kill, assign, states, passTime } = useKillableService();

  it('sends one e-mail, and records it as unknown, if it was killed between the handoff and the response', async () => {
    smtp().follow({ end: () => 'silence' });
    start();
    const performer = await assign();
    await waitFor(() => smtp().arrived.length === 1, { timeoutMs: 20_000 });
    await kill();
    smtp().follow({});
    await passTime();
    start();
    const rows = await waitFor(
      async () => {
        const found = await states(performer.id);
        return found[0]?.state === 'unknown' && found;
      },
      { timeoutMs: 20_000 },
    );
    expect(rows).to.deep.equal([{ type: 'task.assigned', state: 'unknown', outcomes: ['unknown'] }]);
    expect(smtp().arrived).to.have.length(1);
  });
});
