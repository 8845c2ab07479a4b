import { expect } from 'chai';
import { staleFiles } from '../generated.ts';
import { starFaults, starTexts } from '../star-columns.ts';
import { printStatements, statementsThatReturnStar, unlisted, unlistedStatements } from '../statements.ts';

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

  it('are all listed; a statement that the list lacks is reported (canary)', async () => {
    expect(await unlistedStatements()).to.deep.equal([]);
    const source =
      "const a = { name: 'tasks.read' }; list.prepared('tasks.list'); const b = { name: `tasks.claim_${n}` };";
    const listed = ['tasks.read', 'tasks.claim_5'].map((name) => ({ name, text: '' }));
    expect(unlisted(source, listed)).to.deep.equal(['tasks.list']);
  });

  it('list their result columns; a statement that returns * is reported (canary)', async () => {
    expect(await statementsThatReturnStar()).to.deep.equal([]);
    const returning = async (text: string) => (await starFaults([{ name: 'a.b', text }])).length;
    const stars = [
      ...['SELECT * FROM a', 'SELECT a.* FROM a', 'SELECT id, a.* FROM a', 'SELECT id FROM a UNION SELECT * FROM b'],
      ...['UPDATE a SET b = 1 RETURNING *', 'INSERT INTO a (b) VALUES (1) RETURNING a.*', 'DELETE FROM a RETURNING *'],
      'WITH x AS (SELECT id FROM a) SELECT * FROM x',
    ];
    for (const text of stars) expect(await returning(text), text).to.equal(1);
    const listed = [
      ...['SELECT id FROM (SELECT * FROM a) x', 'SELECT count(*) FROM a', 'DELETE FROM a', 'SELECT 2 * 3'],
      ...['WITH x AS (UPDATE a SET b = 1 RETURNING *) SELECT id FROM x', 'SELECT EXISTS (SELECT * FROM a)'],
    ];
    for (const text of listed) expect(await returning(text), text).to.equal(0);
    const inPackage = (text: string) => starTexts('x.ts', `const a = { name: 'a.b', text: \`${text}\` };`).length;
    expect(['SELECT * FROM a', 'UPDATE a SET b = 1 RETURNING *', 'SELECT id FROM a'].map(inPackage)).to.deep.equal([
      1, 1, 0,
    ]);
  });

  it('are a fault when no service has any: the check would be looking in the wrong place', () => {
    expect(staleFiles(new Map(), () => '')).to.have.length(1);
  });
});
