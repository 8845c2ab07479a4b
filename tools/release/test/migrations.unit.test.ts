import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { readCatalogue } from '../migrations/catalogue.ts';
import { judgeFiles, type Base } from '../migrations/judge-file.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const schemas = ['tasks', 'notifications'].map((service) =>
  readFileSync(join(root, 'services', service, 'schema.sql'), 'utf8'),
);
const base: Base = {
  release: '0.3.0',
  schema: readCatalogue(schemas),
  knowsValue: (value) => ['draft', 'assigned', 'in_progress', 'completed', 'cancelled', 'archived'].includes(value),
  reads: ({ column }) => (column === 'title' ? 'services/tasks/src/postgres/reads.ts' : undefined),
};

const judge = (sql: string, header = '-- min_version: 0.3.0\n') =>
  judgeFiles([{ path: 'services/tasks/migrations/0009_x.sql', text: header + sql }], base);

const outside = '-- min_version: 0.3.0\n-- mode: outside transaction\n';
const backfill = '-- min_version: 0.3.0\n-- mode: backfill\n';
const states = (...more: string[]) =>
  `CHECK (state IN (${['draft', 'assigned', 'in_progress', 'completed', 'cancelled', ...more].map((one) => `'${one}'`).join(', ')}))`;
const newStates = (...more: string[]) =>
  `ALTER TABLE tasks DROP CONSTRAINT tasks_state_check; ALTER TABLE tasks ADD CONSTRAINT tasks_state_check ${states(...more)} NOT VALID`;

/** Changes to the real schema, each with the kinds of its faults. */
const changes: [sql: string, faults: string, header?: string][] = [
  // columns
  ['ALTER TABLE tasks ADD COLUMN note text', ''],
  ['ALTER TABLE tasks ADD note text, ADD shade text', ''],
  ["ALTER TABLE tasks ADD COLUMN note text NOT NULL DEFAULT ''", ''],
  ['ALTER TABLE tasks ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now()', ''],
  ['ALTER TABLE tasks ADD COLUMN note text NOT NULL', 'break'],
  ['ALTER TABLE tasks ADD COLUMN code uuid DEFAULT gen_random_uuid()', 'lock'],
  ['ALTER TABLE tasks ADD COLUMN number bigserial', 'lock'],
  ['ALTER TABLE tasks ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY', 'lock'],
  ['ALTER TABLE tasks ADD COLUMN size integer CHECK (size > 0)', 'lock'],
  ['ALTER TABLE tasks ADD COLUMN size integer CHECK (size IS NOT NULL)', 'break lock'],
  ['ALTER TABLE tasks ADD COLUMN code text UNIQUE', 'lock'],
  ["ALTER TABLE tasks ADD COLUMN code text DEFAULT '' UNIQUE", 'break lock'],
  ['ALTER TABLE tasks DROP COLUMN title', 'break'],
  ['ALTER TABLE tasks DROP COLUMN IF EXISTS due_at', 'break'],
  ['ALTER TABLE tasks ALTER COLUMN version TYPE bigint', 'break'],
  ['ALTER TABLE tasks ALTER COLUMN due_at SET NOT NULL', 'break lock'],
  ['ALTER TABLE tasks ALTER COLUMN title SET NOT NULL', ''],
  ['ALTER TABLE tasks ALTER COLUMN title DROP NOT NULL', 'break'],
  ['ALTER TABLE tasks ALTER COLUMN version DROP DEFAULT', 'break'],
  ["ALTER TABLE tasks ALTER COLUMN state SET DEFAULT 'draft'", ''],
  ["ALTER TABLE tasks ALTER COLUMN state SET DEFAULT 'blocked'", 'break'],
  ['ALTER TABLE tasks ALTER COLUMN title SET STATISTICS 500', ''],
  ['ALTER TABLE tasks SET (autovacuum_vacuum_threshold = 500)', ''],
  ['ALTER TABLE tasks RENAME COLUMN title TO name', 'break'],
  ['ALTER TABLE tasks ADD note text; ALTER TABLE tasks DROP COLUMN note', ''],
  ['ALTER TABLE tasks ADD note text; ALTER TABLE tasks RENAME COLUMN note TO remark', ''],
  ['ALTER TABLE tasks SET TABLESPACE fast', 'lock'],
  // tables
  ['CREATE TABLE labels (id uuid PRIMARY KEY, name text NOT NULL)', ''],
  ['CREATE TABLE links (task_id uuid REFERENCES tasks ON DELETE CASCADE)', ''],
  ['CREATE TABLE links (task_id uuid REFERENCES tasks)', 'break'],
  ['CREATE TABLE labels (id uuid); ALTER TABLE labels ADD name text NOT NULL; DROP TABLE labels', ''],
  ['CREATE TABLE inbox_p PARTITION OF inbox DEFAULT', ''],
  ['DROP TABLE dead_letters', 'break'],
  ['ALTER TABLE dead_letters RENAME TO dead', 'break'],
  ['TRUNCATE outbox', 'break'],
  ['LOCK TABLE tasks', 'lock'],
  // constraints
  ['ALTER TABLE tasks ADD CONSTRAINT short CHECK (length(title) < 100)', 'break lock'],
  ['ALTER TABLE tasks ADD CONSTRAINT short CHECK (length(title) < 100) NOT VALID', 'break'],
  ['ALTER TABLE tasks ADD size integer; ALTER TABLE tasks ADD CONSTRAINT s CHECK (size > 0) NOT VALID', ''],
  [
    'ALTER TABLE tasks ADD CONSTRAINT s CHECK (version > 0) NOT VALID; ALTER TABLE tasks VALIDATE CONSTRAINT s',
    'break lock',
  ],
  ['ALTER TABLE tasks VALIDATE CONSTRAINT short', ''],
  ['ALTER TABLE tasks ADD UNIQUE (title)', 'break lock'],
  ['ALTER TABLE task_activity DROP CONSTRAINT task_activity_task_id_fkey', 'break'],
  ['ALTER TABLE tasks DROP CONSTRAINT tasks_draft_has_no_assignee', ''],
  [newStates(), ''],
  [newStates('archived'), ''],
  [newStates('blocked'), 'break'],
  ['ALTER TABLE tasks DROP CONSTRAINT tasks_state_check', 'break'],
  [
    "ALTER TABLE tasks DROP CONSTRAINT tasks_state_check; ALTER TABLE tasks ADD CONSTRAINT tasks_state_check CHECK (state IN ('draft')) NOT VALID",
    'break',
  ],
  // indexes
  ['CREATE INDEX tasks_by_title ON tasks (title)', 'lock'],
  ['CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_title ON tasks (title)', '', outside],
  ['CREATE INDEX CONCURRENTLY tasks_by_title ON tasks (title)', 'lock', outside],
  ['CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_title ON tasks (title)', 'lock'],
  ['CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS tasks_one ON tasks (title)', 'break', outside],
  ['CREATE TABLE labels (id uuid, name text); CREATE UNIQUE INDEX labels_name ON labels (name)', ''],
  ['CREATE INDEX CONCURRENTLY IF NOT EXISTS a ON tasks (title); SELECT 1', 'header', outside],
  ['DROP INDEX CONCURRENTLY tasks_open', 'break', outside],
  ['DROP INDEX tasks_open', 'break lock'],
  // rows
  ["UPDATE tasks SET title = 'x'", 'break lock'],
  ["ALTER TABLE tasks ADD note text; UPDATE tasks SET note = 'x'", 'lock'],
  ['DELETE FROM inbox', 'break lock'],
  ["INSERT INTO tasks (title) VALUES ('x')", 'break'],
  ['CREATE TABLE labels (id uuid); INSERT INTO labels VALUES (gen_random_uuid())', ''],
  ["UPDATE tasks SET title = 'x' WHERE id IN (SELECT id FROM tasks LIMIT 100)", 'break', backfill],
  // functions, triggers, privileges, and statements whose effect cannot be determined
  ['CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$', ''],
  [
    'CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    'break',
  ],
  ['DROP FUNCTION refuse_change', 'break'],
  ['CREATE TRIGGER t BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION refuse_change()', 'break'],
  ['DROP TRIGGER append_only ON task_activity', 'break'],
  ['CREATE VIEW open_tasks AS SELECT id FROM tasks', ''],
  ["COMMENT ON TABLE tasks IS 'work'", ''],
  ['REVOKE SELECT ON tasks FROM tasks', 'break'],
  ['DO $$ BEGIN DROP TABLE tasks; END $$', 'break'],
  ['SET lock_timeout = 0', 'lock'],
  ['VACUUM tasks', 'lock', outside],
  ['SELECT FROM WHERE', 'header'],
];

describe('The check of migrations', () => {
  it(`classifies each of ${changes.length} changes to the schema correctly`, () => {
    expect(changes.length).to.be.at.least(40);
    const wrong = changes.flatMap(([sql, expected, header]) => {
      const faults = [...new Set(judge(sql, header).map(({ kind }) => kind))].sort().join(' ');
      return faults === expected ? [] : [`${sql}: "${faults}" instead of "${expected}"`];
    });
    expect(wrong).to.deep.equal([]);
  });

  it('names the file, the line and the remedy', () => {
    const [fault] = judge('\n-- why\nALTER TABLE tasks\n  ADD COLUMN note text,\n  ADD COLUMN size integer NOT NULL;');
    expect(fault).to.deep.include({ path: 'services/tasks/migrations/0009_x.sql', line: 6, kind: 'break' });
    expect(fault?.remedy).to.equal('give it a default, or leave NOT NULL to a contract');
  });

  it('remembers columns of earlier new files', () => {
    const files = ['ALTER TABLE tasks ADD note text', 'ALTER TABLE tasks DROP COLUMN note'].map((sql, index) => ({
      path: `${index}.sql`,
      text: `-- min_version: 0.3.0\n${sql};`,
    }));
    expect(judgeFiles(files, base)).to.deep.equal([]);
  });

  describe('A header', () => {
    const kinds = (header: string, sql = 'ALTER TABLE tasks ADD note text') =>
      judge(sql, header).map(({ kind, text }) => `${kind}: ${text}`);

    it('has to name the last recorded release, the only one that the file is checked against', () => {
      expect(kinds('')).to.deep.equal(['header: has no min_version']);
      for (const release of ['0.2.0', '0.4.0'])
        expect(kinds(`-- min_version: ${release}\n`)).to.deep.equal([
          `header: has min_version ${release}, and is checked against release 0.3.0 alone`,
        ]);
    });
  });

  describe('A contract', () => {
    const contract = '-- min_version: 0.3.0\n-- contract: no release reads due dates since 0.3.0\n';

    it('removes what the last release no longer names', () => {
      expect(judge('ALTER TABLE tasks DROP COLUMN due_at', contract)).to.deep.equal([]);
      expect(judge('DROP TABLE task_cache', contract)).to.deep.equal([]);
    });

    it('is refused while the last release names what it removes, with the place', () => {
      expect(judge('ALTER TABLE tasks DROP COLUMN title', contract)[0]?.text).to.equal(
        'drops column tasks.title, which release 0.3.0 still names in services/tasks/src/postgres/reads.ts',
      );
    });

    it('is refused with a min_version that is not the last recorded release', () => {
      const early = contract.replace('0.3.0', '0.4.0');
      expect(judge('ALTER TABLE tasks DROP COLUMN due_at', early).map(({ kind }) => kind)).to.deep.equal([
        'header',
        'break',
      ]);
    });

    it('may not block the release with a lock', () => {
      expect(judge('DROP INDEX tasks_open', contract).map(({ kind }) => kind)).to.deep.equal(['lock']);
    });

    it('has to say what no longer needs it, and to remove something', () => {
      const [short, nothing] = ['-- min_version: 0.3.0\n-- contract: cleanup\n', contract];
      expect(judge('ALTER TABLE tasks DROP COLUMN due_at', short).map(({ kind }) => kind)).to.deep.equal([
        'header',
        'break',
      ]);
      expect(judge('ALTER TABLE tasks ADD note text', nothing)[0]?.text).to.equal(
        'is marked as a contract and removes nothing',
      );
    });
  });
});
