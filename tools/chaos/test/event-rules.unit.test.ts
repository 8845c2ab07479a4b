import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const files = globSync('{packages,services}/*/test/*.test.ts', { cwd: root });

/** Returns the rows of the table: each rule with the tests that prove it. */
function rules(): [string, string][] {
  const text = readFileSync(`${root}ARCHITECTURE.md`, 'utf8');
  const [, section = ''] = text.split('\n## Rules of events\n');
  const rows = section.split('\n## ')[0]?.split('\n') ?? [];
  return rows
    .filter((row) => row.startsWith('| ') && !/^\| -+ \|/.test(row))
    .slice(1)
    .map((row) => row.split(' | ') as [string, string])
    .map(([rule, proofs]) => [rule.slice(2).trim(), proofs.replace(/\s*\|$/, '')]);
}

/** Returns the fault of a proof such as `` `tasks/test/tasks`: the title of a test ``. */
function faultOf(proof: string): string | undefined {
  const [, file = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(proof) ?? [];
  const path = files.find((one) => one.split('/').slice(1).join('/').startsWith(`${file}.`));
  if (path === undefined) return `no such file: ${proof}`;
  const source = readFileSync(`${root}${path}`, 'utf8');
  const titles = [...source.matchAll(/\bit\(\s*(?:'([^']+)'|"([^"]+)"|`([^`]+)`)/g)].map((match) =>
    match.slice(1).join(''),
  );
  return titles.some((one) => one.startsWith(title)) ? undefined : `no such test: ${proof}`;
}

describe('The table of rules of events in ARCHITECTURE.md', () => {
  it('names existing tests by file and title for every rule', () => {
    expect(rules()).to.have.length.above(15);
    const proofs = rules().flatMap(([, cell]) => cell.split('; '));
    expect(proofs.flatMap((proof) => faultOf(proof) ?? [])).to.deep.equal([]);
  });

  it('is rejected when it names a file or a title that does not exist (canary)', () => {
    expect(faultOf('`auth/test/nowhere`: x')).to.equal('no such file: `auth/test/nowhere`: x');
    expect(faultOf('`auth/test/events`: fly')).to.equal('no such test: `auth/test/events`: fly');
  });
});
