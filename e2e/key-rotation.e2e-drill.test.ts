import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { authCommand, cli as cliPath } from './auth-command.ts';
import { demoPerson, send } from './front-end.ts';
import { useSuite } from './suite.ts';

describe('Tokens', () => {
  const suite = useSuite();

  it('survive a rotation of the keys while the suite runs: no request fails, and the new key takes over', async () => {
    const person = await demoPerson(suite(), 'manager');
    const before = decodeProtectedHeader(person.token).kid;
    await promisify(execFile)(process.execPath, [cliPath, 'keys', 'rotate'], {
      env: { ...suite().envOf('auth'), KEY_OVERLAP_SECONDS: '15' },
    });
    expect(await authCommand(suite(), 'keys', 'list')).to.match(/signs in \d+ s/);
    const statuses = new Map<string, number>();
    const next = await waitFor(
      async () => {
        const someone = await demoPerson(suite(), 'ann');
        for (const path of ['/api/v1/users/me', '/api/v1/tasks?limit=1', '/api/v1/notifications?limit=1']) {
          for (const { token } of [person, someone]) {
            const { status } = await send(suite().url, 'GET', path, { token });
            statuses.set(`${status} ${path}`, (statuses.get(`${status} ${path}`) ?? 0) + 1);
          }
        }
        const { kid } = decodeProtectedHeader(someone.token);
        return kid !== before && kid;
      },
      { timeoutMs: 40_000 },
    );
    expect(await authCommand(suite(), 'keys', 'list')).to.match(new RegExp(`^${next}  signs\n${before}  retired`));
    expect([...statuses.keys()].filter((one) => !one.startsWith('200'))).to.deep.equal([]);
  }).timeout(60_000);
});
