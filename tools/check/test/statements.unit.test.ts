import { expect } from 'chai';
import { staleFiles } from '../generated.ts';
import { printStatements, unlisted, unlistedStatements } from '../statements.ts';

describe('The statements of a service', () => {
  it('are printed as they run, so that a session can prepare and explain them', () => {
    const text = '\n    SELECT a\n      FROM b\n\n    WHERE c = $1';
    const [, body] = printStatements('tasks', [{ name: 'tasks.read', text }]).split('\n\n');
    expect(body).to.equal('PREPARE "tasks.read" AS\nSELECT a\n  FROM b\nWHERE c = $1;\n');
  });

  it('are out of date when one differs from the committed file, or the file is missing', () => {
    const made = new Map([['a.sql', 'SELECT 1']]);
    expect(staleFiles(made, () => 'SELECT 1')).to.deep.equal([]);
    for (const committed of ['SELECT 2', undefined]) {
      const faults = staleFiles(made, () => committed);
      expect(faults).to.deep.equal(['a.sql is out of date; run `npm run generate` and commit what it writes']);
    }
  });

  it('are all listed; one whose name the sources have and the list lacks is reported (canary)', async () => {
    expect(await unlistedStatements()).to.deep.equal([]);
    const source =
      "const a = { name: 'tasks.read' }; list.prepared('tasks.list'); const b = { name: `tasks.claim_${n}` };";
    const listed = ['tasks.read', 'tasks.claim_5'].map((name) => ({ name, text: '' }));
    expect(unlisted(source, listed)).to.deep.equal(['tasks.list']);
  });

  it('are a fault when no service has any: the check would be looking in the wrong place', () => {
    expect(staleFiles(new Map(), () => '')).to.have.length(1);
  });
});
