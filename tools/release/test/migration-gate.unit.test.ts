import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { judgeMigrations, unaccepted } from '../migrations/gate.ts';
import type { Fault } from '../migrations/judge-file.ts';
import { git } from '../records.ts';

const schema = 'CREATE TABLE things (\n  id uuid NOT NULL,\n  name text,\n  colour text\n);\n';

describe('The gate of migrations', () => {
  let root: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const migration = (sql: string, header = '-- min_version: 0.1.0\n') =>
    write('services/shop/migrations/0002_more.sql', header + sql);
  const record = (commit: string) =>
    write(
      'releases/0.1.0.json',
      JSON.stringify({ version: '0.1.0', date: '2026-11-29', commit, migrations: { shop: '0001_things' } }),
    );

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'taskwire-migrations-'));
    git(root, 'init', '--quiet');
    git(root, 'config', 'user.name', 'test');
    git(root, 'config', 'user.email', 'test@example.org');
    write('packages/text/src/text.ts', '');
    write('services/shop/src/read.ts', "const read = 'SELECT name FROM things';");
    write('services/shop/schema.sql', schema);
    write('services/shop/migrations/0001_things.sql', schema);
    write('tools/release/migrations/accepted.json', '{"since":"0.1.0","faults":{}}');
    git(root, 'add', '--all');
    git(root, 'commit', '--quiet', '--message', 'a release');
    record(git(root, 'rev-parse', 'HEAD').trim());
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('passes for the migrations of this repository, compared with its last recorded release', () => {
    const { faults } = judgeMigrations(fileURLToPath(new URL('../../../', import.meta.url)));
    expect(faults).to.deep.equal([]);
  });

  it('passes for an addition, and refuses a break with file, line, reason and remedy', () => {
    migration('ALTER TABLE things ADD COLUMN size integer;');
    expect(judgeMigrations(root)).to.deep.equal({ release: '0.1.0', files: 1, faults: [] });
    migration('\nALTER TABLE things DROP COLUMN name;');
    expect(judgeMigrations(root).faults[0]).to.match(
      /^services\/shop\/migrations\/0002_more\.sql:3: drops column things\.name; do it one release after/,
    );
  });

  it('lets a contract remove only what the sources of the release do not name', () => {
    const header = '-- min_version: 0.1.0\n-- contract: nothing reads it any more\n';
    migration('ALTER TABLE things DROP COLUMN colour;', header);
    expect(judgeMigrations(root).faults).to.deep.equal([]);
    migration('ALTER TABLE things DROP COLUMN name;', header);
    expect(judgeMigrations(root).faults[0]).to.include('still names in services/shop/src/read.ts');
  });

  it('refuses a change of a migration that the release has, because databases have run it', () => {
    write('services/shop/migrations/0001_things.sql', `${schema}-- a better comment\n`);
    expect(judgeMigrations(root).faults).to.deep.equal([
      'services/shop/migrations/0001_things.sql:1: was changed after release 0.1.0; undo the change, and add a new migration',
    ]);
  });

  it('fails when the clone lacks the commit of the release, and when no release is recorded', () => {
    record('a'.repeat(40));
    expect(() => judgeMigrations(root)).to.throw('git fetch --unshallow');
    rmSync(join(root, 'releases/0.1.0.json'));
    expect(() => judgeMigrations(root)).to.throw('records no release');
  });

  it('fails when it would notice nothing, such as with an empty schema of the release (canary)', () => {
    write('services/shop/schema.sql', '-- nothing\n');
    git(root, 'add', '--all');
    git(root, 'commit', '--quiet', '--message', 'no schema');
    record(git(root, 'rev-parse', 'HEAD').trim());
    expect(judgeMigrations(root).faults[0]).to.include('it is blind');
  });

  it('accepts a listed fault for the next release only, and no entry that accepts nothing', () => {
    const fault: Fault = { path: 'a.sql', line: 3, kind: 'break', text: 'changes function f', remedy: 'mend it' };
    const accepted = { 'a.sql: changes function f': 'It also allows what the release never does.' };
    expect(unaccepted([fault], { since: '0.1.0', faults: accepted }, '0.1.0')).to.deep.equal([]);
    expect(unaccepted([fault], { since: '0.1.0', faults: {} }, '0.1.0')).to.deep.equal([
      'a.sql:3: changes function f; mend it',
    ]);
    expect(unaccepted([], { since: '0.1.0', faults: accepted }, '0.1.0')[0]).to.include('accepts what does not exist');
    expect(unaccepted([fault], { since: '0.1.0', faults: accepted }, '0.2.0')[0]).to.include('set "since" to 0.2.0');
  });
});
