import { expect } from 'chai';
import { conclude } from '../workload/perform.ts';
import type { Intent } from '../workload/intent.ts';

const create: Intent = { kind: 'create_task', actor: 'u1', task: 't1' };
const register: Intent = { kind: 'register', user: 'u1' };
const attempt = (status: number | null, problem?: string) => ({
  ...{ began: 0, ended: 1, status },
  ...(problem !== undefined && { problem }),
  ...(status === 201 && { body: { id: 'made' } }),
});

describe('the outcome of a request', () => {
  it('is acknowledged after the first successful response, however many tries got none', () => {
    const { outcome, answer, replays } = conclude(create, [attempt(null), attempt(503), attempt(201), attempt(201)]);
    expect({ outcome, answer, replays }).deep.equal({
      ...{ outcome: 'acknowledged', answer: { id: 'made' } },
      replays: [{ id: 'made' }],
    });
  });

  it('is refused only if every try was refused', () => {
    expect(conclude(create, [attempt(429), attempt(403)]).outcome).equal('refused');
  });

  it('is unknown as soon as one try got no response, or one that guarantees nothing, even if another was refused', () => {
    expect(conclude(create, [attempt(null), attempt(403)]).outcome).equal('unknown');
    expect(conclude(create, [attempt(502)]).outcome).equal('unknown');
    expect(conclude(create, [attempt(409, 'idempotency_in_progress')]).outcome).equal('unknown');
  });

  it('is unknown when the gateway may have sent a deletion twice and passed on the second response', () => {
    const deletion: Intent = { kind: 'delete_user', actor: 'admin', user: 'u1' };
    for (const status of [401, 404, 410, 429])
      expect(conclude(deletion, [attempt(status)]).outcome, String(status)).equal('unknown');
    expect(conclude(deletion, [attempt(403)]).outcome).equal('refused');
    expect(conclude(create, [attempt(404)]).outcome).equal('refused');
  });

  it('is acknowledged for an account whose address is taken after a try without a response', () => {
    expect(conclude(register, [attempt(null), attempt(409, 'email_taken')]).outcome).equal('acknowledged');
    expect(conclude(register, [attempt(409, 'email_taken')]).outcome).equal('refused');
  });
});
