import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';

describe('Auth with the OpenID provider', () => {
  it('writes nothing besides its log lines, on any Node.js release', async () => {
    const load = `await import(${JSON.stringify(new URL('../src/wire.ts', import.meta.url).href)})`;
    const printed = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', load]);
    expect(printed).to.deep.equal({ stdout: '', stderr: '' });
  }).timeout(20_000);
});
