import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const page = readFileSync(new URL('../../../docs/pact.md', import.meta.url), 'utf8');
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

/** Runs a consumer's test in an empty folder where only Pact is installed. */
function runConsumer(source: string): { status: number | null; output: string; pact: () => unknown; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-outside-'));
  writeFileSync(join(folder, 'board.test.mjs'), source);
  symlinkSync(modules, join(folder, 'node_modules'));
  const env = { PATH: process.env['PATH'], PACT_DO_NOT_TRACK: 'true' };
  const options = { cwd: folder, env, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', 'board.test.mjs'], options);
  return {
    status,
    output: `${stdout}${stderr}`,
    pact: () => JSON.parse(readFileSync(join(folder, 'pacts/board-tasks.json'), 'utf8')) as unknown,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

describe('The page for consumers in other repositories', () => {
  const source = /```js\n([^]*?)```/.exec(page)?.[1] ?? '';

  it('has a test that runs as it is, and writes a pact with a state that the page lists', () => {
    const consumer = runConsumer(source);
    expect(consumer.status, consumer.output).to.equal(0);
    const { interactions } = consumer.pact() as { interactions: { providerStates: { name: string }[] }[] };
    consumer.remove();
    expect(interactions).to.have.lengthOf(1);
    const [state] = interactions[0]?.providerStates ?? [];
    expect(page).to.match(new RegExp(`^\\| tasks +\\| state +\\| ${state?.name} +\\|$`, 'm'));
  }).timeout(60_000);

  it('has a test that fails when the consumer does not read what it declares (canary)', () => {
    const changed = source.replace("'Paint the fence');", "'Paint the door');");
    expect(changed).to.not.equal(source);
    const consumer = runConsumer(changed);
    consumer.remove();
    expect(consumer.status, consumer.output).to.equal(1);
  }).timeout(60_000);
});
