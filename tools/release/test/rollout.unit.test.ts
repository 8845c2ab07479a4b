import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { namespaceOf, parseImages, withImages, type Images } from '../overlay-images.ts';
import { rollOut, type RolloutEnd } from '../roll-out.ts';
import { recordRollout } from '../write-deployments.ts';

const digest = (char: string) => `sha256:${char.repeat(64)}`;
const imagesOf = (char: string): Images => ({
  auth: `registry.example.com/auth@${digest(char)}`,
  tasks: `registry.example.com/tasks@${digest(char)}`,
  notifications: `registry.example.com/notifications@${digest(char)}`,
  gateway: `registry.example.com/gateway@${digest(char)}`,
  observer: `registry.example.com/observer@${digest(char)}`,
});
const kustomization = (char: string) => `# an installation
namespace: taskwire

images:
${['auth', 'tasks', 'notifications', 'gateway', 'observer'].map((name) => `  - name: taskwire/${name}\n    newName: registry.example.com/${name}\n    digest: ${digest(char)}\n`).join('')}
configMapGenerator:
  - { name: gateway, behavior: merge, literals: [A=1] } # kept
`;

describe('The images of an overlay', () => {
  it('are replaced, and everything else stays as it is', () => {
    expect(withImages(kustomization('a'), imagesOf('b'))).to.equal(kustomization('b'));
  });

  it('are refused if the overlay lacks one or names it by a tag, or sets no namespace', () => {
    expect(() => withImages(kustomization('a').replace('taskwire/tasks', 'x'), imagesOf('b'))).to.throw(
      'taskwire/tasks',
    );
    expect(() => withImages(kustomization('a').replace('digest', 'newTag'), imagesOf('b'))).to.throw('no digest of');
    expect(() => namespaceOf('resources: []')).to.throw('sets no namespace');
  });

  it('are refused if one is missing, unknown, or named by a tag', () => {
    expect(() => parseImages(JSON.stringify({ ...imagesOf('a'), tasks: 'registry.example.com/tasks:0.1.0' }))).to.throw(
      /by digest[\s\S]*tasks/,
    );
    expect(() => parseImages(JSON.stringify({ ...imagesOf('a'), billing: 'x' }))).to.throw('billing');
    expect(() => parseImages('{}')).to.throw('gateway');
  });
});

describe('A rollout', () => {
  let root: string;
  let overlay: string;
  const path = process.env['PATH'] ?? '';
  const calls = () => readFileSync(join(root, 'calls'), 'utf8').trim().split('\n');

  // a cluster in which pods of some images never become ready: `apply` stores the kustomization, and `rollout status` looks for their digests in it
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'taskwire-rollout-'));
    overlay = join(root, 'overlay');
    for (const folder of ['bin', 'overlay', 'releases', 'deployments', ...services])
      mkdirSync(join(root, folder), { recursive: true });
    for (const service of services) writeFileSync(join(root, service, 'package.json'), '{}');
    for (const version of ['0.1.0', '0.2.0']) {
      const record = { version, date: '2026-11-20', commit: 'a'.repeat(40), migrations: {} };
      writeFileSync(join(root, `releases/${version}.json`), JSON.stringify(record));
    }
    writeFileSync(join(overlay, 'kustomization.yaml'), kustomization('a'));
    writeFileSync(join(root, 'never-ready'), 'nothing');
    writeFileSync(
      join(root, 'bin/kubectl'),
      `#!/bin/sh
printf '%s\\n' "$*" >> '${root}/calls'
if [ "$1" = apply ]; then cp "$3/kustomization.yaml" '${root}/applied'
else ! grep -q -f '${root}/never-ready' '${root}/applied'
fi
`,
    );
    chmodSync(join(root, 'bin/kubectl'), 0o755);
    process.env['PATH'] = `${join(root, 'bin')}${delimiter}${path}`;
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(root, { recursive: true });
  });

  const roll = async (char: string, verify?: string): Promise<RolloutEnd> =>
    await rollOut({
      overlay,
      images: imagesOf(char),
      verify,
      timeoutSeconds: 60,
      onStart: () => undefined,
      say: () => undefined,
    });
  const applied = () => readFileSync(join(root, 'applied'), 'utf8');
  const written = () => readFileSync(join(overlay, 'kustomization.yaml'), 'utf8');

  it('applies the new images, and waits for the pods of the services and of the gateway', async () => {
    expect(await roll('b', 'true')).to.deep.equal({ kind: 'rolled-out' });
    expect(calls()).to.deep.equal([
      `apply -k ${overlay}`,
      '-n taskwire rollout status deployment --selector taskwire/service --timeout=60s',
      '-n taskwire rollout status deployment/gateway --timeout=60s',
    ]);
    expect([applied(), written()]).to.deep.equal([kustomization('b'), kustomization('b')]);
    expect(existsSync(join(overlay, 'kustomization.before.yaml'))).to.equal(false);
  });

  it('returns to the previous images if a pod does not become ready', async () => {
    writeFileSync(join(root, 'never-ready'), digest('b'));
    expect(await roll('b')).to.have.property('kind', 'rolled-back');
    expect([applied(), written()]).to.deep.equal([kustomization('a'), kustomization('a')]);
  });

  it('returns to the previous images if the verification fails', async () => {
    const end = await roll('b', 'exit 3');
    expect(end).to.deep.equal({ kind: 'rolled-back', reason: 'Error: sh -c exit 3 ended with 3' });
    expect([applied(), written()]).to.deep.equal([kustomization('a'), kustomization('a')]);
  });

  it('fails if the previous images do not become ready either, and keeps them for the next try', async () => {
    writeFileSync(join(root, 'never-ready'), 'sha256');
    let failure: unknown;
    await roll('b').catch((error: unknown) => (failure = error));
    expect(failure).to.be.instanceOf(Error);
    writeFileSync(join(root, 'never-ready'), digest('c'));
    expect(await roll('c')).to.have.property('kind', 'rolled-back');
    expect(applied()).to.equal(kustomization('a'));
  });

  it('that was killed after it wrote the overlay still leads back to the images that ran before it', async () => {
    writeFileSync(join(overlay, 'kustomization.before.yaml'), kustomization('a'));
    writeFileSync(join(overlay, 'kustomization.yaml'), kustomization('b'));
    writeFileSync(join(root, 'never-ready'), digest('b'));
    expect(await roll('b')).to.have.property('kind', 'rolled-back');
    expect(applied()).to.equal(kustomization('a'));
  });

  it('applies nothing if the overlay is invalid', async () => {
    writeFileSync(join(overlay, 'kustomization.yaml'), 'namespace: taskwire\n');
    let failure: unknown;
    await roll('b').catch((error: unknown) => (failure = error));
    expect(String(failure)).to.include('no newName of taskwire/auth');
    expect(existsSync(join(root, 'calls'))).to.equal(false);
  });

  it('is recorded for every service: both releases while it runs, then the one that is left', () => {
    const deployments = () => JSON.parse(readFileSync(join(root, 'deployments/staging.json'), 'utf8')) as object;
    const both = { auth: ['0.1.0', '0.2.0'], notifications: ['0.1.0', '0.2.0'], tasks: ['0.1.0', '0.2.0'] };
    const only = (release: string) => ({ auth: [release], notifications: [release], tasks: [release] });
    const first = recordRollout(root, 'staging', '0.1.0');
    first.start();
    first.finish('rolled-out');
    recordRollout(root, 'staging', '0.2.0').start();
    expect(deployments()).to.deep.equal(both);
    // the rollout was interrupted and is repeated
    const second = recordRollout(root, 'staging', '0.2.0');
    second.start();
    second.finish('rolled-back');
    expect(deployments()).to.deep.equal(only('0.1.0'));
    const third = recordRollout(root, 'staging', '0.2.0');
    third.start();
    third.finish('rolled-out');
    expect(deployments()).to.deep.equal(only('0.2.0'));
    expect(() => recordRollout(root, 'staging', '9.0.0')).to.throw('no record of 9.0.0');
  });
});

const services = ['services/auth', 'services/notifications', 'services/tasks'];
