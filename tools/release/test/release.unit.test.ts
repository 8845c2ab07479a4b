import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { makeRelease } from '../make-release.ts';
import { fileOfRelease, filesOfRelease, git, lastRelease, readRecords } from '../records.ts';

const now = new Date('2026-12-01T10:00:00Z');
const changelog = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a thing\n';

describe('npm run release', () => {
  let root: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const commit = (): string => {
    git(root, 'add', '--all');
    git(root, 'commit', '--quiet', '--allow-empty', '--message', 'a change');
    return git(root, 'rev-parse', 'HEAD').trim();
  };
  const release = (version: string): string => makeRelease(root, [version], now);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'taskwire-release-'));
    git(root, 'init', '--quiet');
    git(root, 'config', 'user.name', 'test');
    git(root, 'config', 'user.email', 'test@example.org');
    write('CHANGELOG.md', changelog);
    write('releases/.gitkeep', '');
    write('packages/contracts/accepted-breaks.json', '{ "since": "0.1.0", "breaks": { "a": {} } }');
    write('tools/release/migrations/accepted.json', '{ "since": "0.1.0", "faults": { "a": "b" } }');
    for (const folder of ['.', 'packages/outbox', 'services/tasks'])
      write(
        `${folder}/package.json`,
        '{\n  "name": "x",\n  "version": "0.1.0",\n  "other": { "version": "9.9.9" }\n}\n',
      );
    write('packages/outbox/migrations/0001_outbox.sql', 'SELECT 1;');
    write('services/tasks/migrations/0001_tasks.sql', 'SELECT 1;');
    write('services/tasks/migrations/0002_names.sql', 'SELECT 2;');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('records the commit and the last migration of each owner, closes the changelog, sets every version, and empties the lists of exceptions', () => {
    const head = commit();
    release('0.2.0');
    expect(readRecords(root)).to.deep.equal([
      {
        version: '0.2.0',
        date: '2026-12-01',
        commit: head,
        migrations: { outbox: '0001_outbox', tasks: '0002_names' },
      },
    ]);
    expect(read('CHANGELOG.md')).to.equal(
      '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- a thing\n',
    );
    for (const folder of ['.', 'packages/outbox', 'services/tasks'])
      expect(JSON.parse(read(`${folder}/package.json`))).to.deep.include({
        version: '0.2.0',
        other: { version: '9.9.9' },
      });
    expect(read('packages/contracts/accepted-breaks.json')).to.equal('{\n  "since": "0.2.0",\n  "breaks": {}\n}\n');
    expect(read('tools/release/migrations/accepted.json')).to.equal('{\n  "since": "0.2.0",\n  "faults": {}\n}\n');
    expect(git(root, 'status', '--porcelain')).to.equal('');
    expect(git(root, 'tag')).to.equal('v0.2.0\n');
  });

  it('refuses an invalid version, or one that is not above the last, and changes nothing', () => {
    commit();
    release('0.1.0');
    write('CHANGELOG.md', read('CHANGELOG.md').replace('[Unreleased]\n', '[Unreleased]\n\n- more\n'));
    const head = commit();
    for (const version of ['', '1', 'v0.2.0', '0.2.0-rc.1', '0.2', '0.1.0', '0.0.9'])
      expect(() => release(version), version).to.throw(/usage|must be above it/);
    expect([git(root, 'rev-parse', 'HEAD').trim(), git(root, 'status', '--porcelain')]).to.deep.equal([head, '']);
  });

  it('refuses a working tree with changes, and a changelog that says nothing of the release', () => {
    commit();
    write('services/tasks/src/main.ts', '');
    expect(() => release('0.2.0')).to.throw('changes that are not committed');
    write('CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-01\n\n- old\n');
    commit();
    expect(() => release('0.2.0')).to.throw('is empty');
    expect(readRecords(root)).to.deep.equal([]);
  });

  it('lets others read the files of the release from git, and fails where the clone lacks its commit', () => {
    commit();
    release('0.2.0');
    write('services/tasks/migrations/0002_names.sql', 'changed since');
    commit();
    const record = lastRelease(root);
    expect(fileOfRelease(root, record, 'services/tasks/migrations/0002_names.sql')).to.equal('SELECT 2;');
    expect(fileOfRelease(root, record, 'services/tasks/migrations/0003_more.sql')).to.equal(undefined);
    expect(filesOfRelease(root, record, 'services')).to.have.length(3);
    const absent = { ...record, commit: 'f'.repeat(40) };
    expect(() => fileOfRelease(root, absent, 'package.json')).to.throw('git fetch --unshallow');
  });

  it('has no last release while none is recorded, and names a record that is invalid', () => {
    expect(() => lastRelease(root)).to.throw('records no release');
    write('releases/0.3.0.json', '{"version":"0.2.0","date":"2026-12-01","commit":"abc","migrations":{}}');
    expect(() => readRecords(root)).to.throw('releases/0.3.0.json: ✖ must be the 40 hexadecimal digits of a commit');
  });
});
