import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { baseReferences } from '../bases.ts';
import { certificatesInBuild, npmSettings } from '../build.ts';
import { faultsOfDisk } from '../database-disk.ts';
import { isUsableVersion } from '../docker-compose.ts';
import { engineFiles } from '../engine-files.ts';
import { root } from '../engine.ts';
import { faultsOfImage, type ImageFacts } from '../image-report.ts';
import { overridesOf } from '../project.ts';
import { requirePodman, missingPackages, obstacleOn, Skipped, type Machine } from '../requirements.ts';
import { faultsOfContainer, type ContainerFacts } from '../suite-checks.ts';

const machine: Machine = { platform: 'linux', isRoot: true, mayMount: true, hasProgram: () => true };

describe('A machine for npm run containers', () => {
  it('has no obstacle as root on a Linux that allows mounts', () => {
    expect(obstacleOn(machine)).to.equal(undefined);
    expect(missingPackages(machine)).to.deep.equal([]);
  });

  it('is skipped with the reason and the remedy', async () => {
    const obstacles: [Partial<Machine>, string][] = [
      [{ platform: 'darwin' }, 'Linux machine'],
      [{ isRoot: false }, 'sudo'],
      [{ mayMount: false }, 'unshare --mount'],
    ];
    for (const [difference, remedy] of obstacles) {
      const error: unknown = await requirePodman(() => undefined, { ...machine, ...difference }).catch(
        (cause: unknown) => cause,
      );
      expect(error, remedy).to.be.instanceOf(Skipped);
      expect((error as Skipped).message).to.contain(remedy);
    }
  });

  it('is asked for the packages of the programs that it lacks', () => {
    const hasProgram = (name: string) => name !== 'podman' && name !== 'aardvark-dns';
    expect(missingPackages({ ...machine, hasProgram })).to.deep.equal(['podman', 'aardvark-dns']);
  });
});

describe('The files of the container engine', () => {
  const files = engineFiles({ folder: '/place/engine', runFolder: '/run/engine', runc: '/usr/sbin/runc' });

  it("keep images, containers, networks and volumes apart from the machine's", () => {
    const paths = Object.values(files)
      .join('\n')
      .split('\n')
      .filter((line) => /^(static_dir|tmp_dir|volume_path|network_config_dir|graphroot|runroot|runtime) =/.test(line));
    expect(paths).to.have.length(7);
    for (const path of paths) expect(path).to.match(/= "\/(place|run)\/engine\/\w/);
  });

  it('run runc on a specification without limits of processes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskwire-runc-'));
    try {
      const process = { rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1, soft: 1 }], noNewPrivileges: true };
      const { runc } = engineFiles({ folder, runFolder: folder, runc: 'echo' });
      const script = join(folder, 'runc');
      writeFileSync(script, runc, { mode: 0o755 });
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ process }));
      writeFileSync(join(folder, 'exec.json'), JSON.stringify(process));
      const started = execFileSync(script, ['--root', '/r', 'create', '--bundle', folder, 'id'], { encoding: 'utf8' });
      execFileSync(script, ['exec', '--process', join(folder, 'exec.json'), 'id']);
      const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
      expect(started).to.equal(`--root /r create --bundle ${folder} id\n`);
      expect(read('config.json')).to.deep.equal({ process: { ...process, rlimits: [] } });
      expect(read('exec.json')).to.deep.equal({ ...process, rlimits: [] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('The inputs of the container run', () => {
  const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

  it('are the base images of the shipped Dockerfile and docker-compose.yml', () => {
    const found = baseReferences(readFileSync(join(root, 'Dockerfile'), 'utf8'), compose);
    expect(found.map(({ recipe }) => recipe)).to.deep.equal(['node', 'nginx', 'postgres', 'rabbitmq', 'maildev']);
    for (const { reference } of found) expect(reference).to.match(/^docker\.io\/[\w-]+\/[\w-]+:\d[\w.-]+$/);
    expect(() => baseReferences('FROM node', compose)).to.throw('BASE_IMAGE');
  });

  it('replace the log options, which podman refuses, of every service and nothing else', () => {
    const lines = overridesOf(compose).trimEnd().split('\n');
    expect(lines[0]).to.equal('services:');
    expect(lines).to.include('  gateway: { logging: !reset null }');
    expect(lines.slice(1)).to.have.length(12);
    for (const line of lines.slice(1)) expect(line).to.match(/^ {2}[\w-]+: \{ logging: !reset null \}$/);
  });

  it('contain the registry, its certificates and logins, and no other setting of npm', () => {
    const own = 'nodedir=/here\n//registry.example/:_authToken=secret\ncafile=/own.pem';
    expect(npmSettings({ registry: 'https://registry.example/', hasCertificates: true, own })).to.equal(
      `registry=https://registry.example/\ncafile=${certificatesInBuild}\n//registry.example/:_authToken=secret\n`,
    );
    expect(npmSettings({ registry: 'https://registry.example/', hasCertificates: false, own: '' })).to.equal(
      'registry=https://registry.example/\n',
    );
  });

  it('need a Docker Compose that understands !reset', () => {
    for (const version of ['2.24.0', '2.26.1-4', 'v2.40.3', '5.0.1'])
      expect(isUsableVersion(version), version).to.equal(true);
    for (const version of ['2.23.3', '1.29.2', '', 'dev']) expect(isUsableVersion(version), version).to.equal(false);
  });
});

describe('An image', () => {
  const good: ImageFacts = {
    name: 'auth',
    bytes: 1,
    user: '10001:10001',
    uid: '10001',
    buildTools: [],
    testFiles: [],
    remains: [],
    operatorsHelp: 0,
  };

  it('without faults has none reported', () => {
    expect(faultsOfImage(good)).to.deep.equal([]);
    expect(faultsOfImage({ ...good, name: 'gateway', operatorsHelp: undefined })).to.deep.equal([]);
  });

  it('has each fault reported', () => {
    const broken: [Partial<ImageFacts>, string][] = [
      [{ user: '' }, 'runs as user'],
      [{ user: 'node' }, 'runs as user'],
      [{ uid: '0' }, 'runs as user'],
      [{ buildTools: ['npm'] }, 'contains npm'],
      [{ testFiles: ['/app/packages/testing/src/index.ts'] }, 'code for tests'],
      [{ remains: ['/root/.npmrc'] }, 'machine that built it'],
      [{ operatorsHelp: 127 }, 'taskwire --help'],
    ];
    for (const [difference, text] of broken)
      expect(faultsOfImage({ ...good, ...difference }).join(), text).to.contain(text);
  });
});

describe('A container of the suite', () => {
  const service: ContainerFacts = {
    service: 'tasks',
    status: 'running',
    exitCode: 0,
    restarts: 'unless-stopped',
    isReadOnly: true,
    wrote: false,
  };
  const migration = { ...service, service: 'tasks-migrate', status: 'exited', restarts: 'no', wrote: undefined };

  it('without faults has none reported', () => {
    expect(faultsOfContainer(service)).to.deep.equal([]);
    expect(faultsOfContainer(migration)).to.deep.equal([]);
  });

  it('has each fault reported', () => {
    const broken: [ContainerFacts, string][] = [
      [{ ...service, status: 'exited' }, 'is exited'],
      [{ ...service, wrote: true }, 'can write'],
      [{ ...service, isReadOnly: false }, 'can write'],
      [{ ...migration, exitCode: 1 }, 'exit code 1'],
      [{ ...migration, status: 'running' }, 'is running'],
      [{ ...migration, restarts: 'always' }, 'runs once'],
    ];
    for (const [facts, text] of broken) expect(faultsOfContainer(facts).join(), text).to.contain(text);
  });
});

describe("The metrics of PostgreSQL's disk in a container", () => {
  const postgres = { folder: '65024:12', sizeBytes: 1_000 };
  const measured = { ...postgres, freeBytes: 400 };

  it('have no fault if the exporter measures the folder of PostgreSQL', () => {
    expect(faultsOfDisk(measured, postgres)).to.deep.equal([]);
  });

  it('have a fault if it measures another folder or disk, or reports no free space', () => {
    const broken: [Partial<typeof measured>, string][] = [
      [{ folder: '65024:13' }, 'sees folder 65024:13'],
      [{ sizeBytes: 2_000 }, 'a disk of 2000 bytes'],
      [{ freeBytes: 1_001 }, 'reports 1001 free bytes'],
      [{ freeBytes: NaN }, 'reports NaN free bytes'],
    ];
    for (const [difference, text] of broken)
      expect(faultsOfDisk({ ...measured, ...difference }, postgres).join(), text).to.contain(text);
  });
});
