import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { inheritedEnv } from '@taskwire/process-supervisor';

const program = fileURLToPath(new URL('../run-gateway-exporter.ts', import.meta.url));

describe('The exporter of the gateway', () => {
  it('does not start with the path of a disk that is not there, and says which variable to change', async () => {
    // a process that starts by mistake is killed
    const timeout = 20_000;
    const env = { ...inheritedEnv(), GATEWAY_URL: 'http://127.0.0.1:1', DATABASE_DISK_PATH: '/nowhere/postgres' };
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
      execFile(process.execPath, [program], { env, timeout }, (error, _, text) =>
        resolve({ code: error?.code, stderr: text }),
      ),
    );
    expect(stderr).to.match(/DATABASE_DISK_PATH: names a folder that this process cannot reach \(ENOENT\)/);
    expect(code).to.equal(78);
  });
});
