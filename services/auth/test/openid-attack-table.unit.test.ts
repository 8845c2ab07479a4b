import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(fileURLToPath(new URL(path, root)), 'utf8');

describe('the table of attacks', () => {
  const rows = read('docs/security/attacks.md')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()));

  it('names an existing test for every attack', () => {
    expect(rows).to.have.length.above(30);
    for (const [, attack = '', source, tests = ''] of rows) {
      expect(source, attack).not.to.equal('');
      for (const test of tests.split('; ')) {
        const [, path = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(test) ?? [];
        expect(path, `${attack}: ${test}`).not.to.equal('');
        expect(read(path), `${attack}: ${path}`).to.contain(title);
      }
    }
  });
});
