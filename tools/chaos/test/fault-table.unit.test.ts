import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Returns the last cell of each row, which names tests. */
function proofs(): string[] {
  const text = readFileSync(`${root}ARCHITECTURE.md`, 'utf8');
  const [, section = ''] = text.split('## Part by part, fault by fault');
  const rows = section.split('\n## ')[0]?.split('\n') ?? [];
  return rows.filter((row) => row.startsWith('| ')).flatMap((row) => row.split('|').at(-2)?.trim() ?? []);
}

describe('the table of faults in ARCHITECTURE.md', () => {
  it('names existing tests, or says why there are none', () => {
    const tests = globSync('{packages/*/test,services/*/test,infra/*/test,tools/*/test,e2e}/**/*.test.ts', {
      cwd: root,
    });
    const [head, ...rows] = proofs().filter((proof) => !/^-+$/.test(proof));
    expect(head).equal('proven by');
    expect(rows.length).above(20);
    for (const proof of rows.filter((row) => !row.startsWith('none: '))) {
      const names = [...proof.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '');
      expect(names, proof).not.empty;
      for (const name of names.filter((one) => one !== 'npm run chaos'))
        expect(
          tests.some((file) => file.includes(`${name}.`) || file.includes(`${name}-`)),
          name,
        ).equal(true);
    }
  });
});
