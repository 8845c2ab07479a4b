import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { pinnedPnpm } from '../pinned-pnpm.mjs';

const read = (file: string) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

describe('The pnpm that the bootstrap runs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-pnpm-'));
  const calls = join(dir, 'calls');
  const path = process.env.PATH;
  const { packageManager } = JSON.parse(read('package.json')) as { packageManager: string };
  const [version] = packageManager.split('+');
  let sha512: string;

  before(() => {
    mkdirSync(join(dir, 'package/bin'), { recursive: true });
    writeFileSync(join(dir, 'package/bin/pnpm.mjs'), 'console.log("this is it")');
    execFileSync('tar', ['-czf', join(dir, 'given.tgz'), '-C', dir, 'package']);
    sha512 = createHash('sha512')
      .update(readFileSync(join(dir, 'given.tgz')))
      .digest('hex');
    mkdirSync(join(dir, 'bin'));
    // npm pack <package> --pack-destination <folder>
    const npm = `#!/bin/sh\necho "$2" >> ${calls}\ncp ${join(dir, 'given.tgz')} "$4/given.tgz"\n`;
    writeFileSync(join(dir, 'bin/npm'), npm, { mode: 0o755 });
    process.env.PATH = `${join(dir, 'bin')}:${path}`;
  });
  beforeEach(() => writeFileSync(calls, ''));
  after(() => {
    process.env.PATH = path;
    rmSync(dir, { recursive: true });
  });

  const folder = (name: string) => join(dir, name);
  const refusal = (starting: Promise<unknown>) => starting.then(() => expect.fail('it was run'), String);

  it('is fetched once, and has the hash in package.json', async () => {
    const packageJson = { packageManager: `${version}+sha512.${sha512}` };
    const command = await pinnedPnpm(folder('right'), { packageJson, machine: 'darwin-arm64' });
    expect(execFileSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' })).to.equal('this is it\n');
    expect(await pinnedPnpm(folder('right'), { packageJson, machine: 'darwin-arm64' })).to.deep.equal(command);
    expect(readFileSync(calls, 'utf8')).to.equal(`${version}\n`);
  });

  for (const machine of ['linux-x64', 'linux-arm64', 'linux-x64-musl', 'darwin-arm64']) {
    it(`is not run or kept when npm supplies a different one: ${machine}`, async () => {
      expect(await refusal(pinnedPnpm(folder(machine), { machine }))).to.match(/is not the pinned one: its sha512 is/);
      expect(readdirSync(folder(machine))).to.deep.equal([]);
    });
  }

  it('must have a version and a hash', async () => {
    for (const given of [
      'pnpm@12',
      String(version),
      `${version}+sha256.${sha512.slice(0, 64)}`,
      `npm@11.0.0+sha512.${sha512}`,
    ]) {
      expect(
        await refusal(pinnedPnpm(folder('unnamed'), { packageJson: { packageManager: given } })),
        given,
      ).to.include('must name pnpm with its version and sha512');
    }
    const other = { packageManager: `pnpm@12.0.0+sha512.${sha512}` };
    expect(await refusal(pinnedPnpm(folder('unnamed'), { packageJson: other }))).to.include('has the hashes of');
    expect(existsSync(folder('unnamed'))).to.equal(false);
  });

  it('is the only one: no build and no script runs any other pnpm', () => {
    for (const file of [
      'Dockerfile',
      'infra/local/bootstrap.mjs',
      '.ci/run',
      '.github/workflows/ci.yml',
      'package.json',
    ]) {
      const others = read(file)
        .replace(packageManager, '')
        .match(/(npx|corepack)\b.*|\bpnpm@.*/g);
      expect(others, file).to.equal(null);
    }
  });
});

describe('The supply chain', () => {
  it('accepts a dependency no earlier than a day after its release', () => {
    const { minimumReleaseAge } = parse(read('pnpm-workspace.yaml')) as { minimumReleaseAge: number };
    expect(minimumReleaseAge).to.be.at.least(24 * 60);
  });

  it('uploads only logs and chaos histories from CI, not the folder with secrets and data', () => {
    type Step = { uses?: string; with?: { path?: string } };
    const { jobs } = parse(read('.github/workflows/ci.yml')) as { jobs: Record<string, { steps: Step[] }> };
    const uploads = Object.values(jobs).flatMap(({ steps }) =>
      steps.filter(({ uses }) => uses?.includes('upload-artifact')),
    );
    expect(uploads).not.to.deep.equal([]);
    for (const upload of uploads) {
      const paths = (upload.with?.path ?? '').trim().split('\n');
      for (const one of paths) expect(one).to.match(/^\.local\/(logs\/\*\.log|chaos\/\*\.jsonl)$/);
    }
  });
});
