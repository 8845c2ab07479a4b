import { expect } from 'chai';
import { runbookFaults } from '../runbooks.ts';

const files: Record<string, string> = {
  'package.json': '{"scripts":{"start":"x","taskwire":"x"}}',
  'a.test.ts': "it('lists the keys', async () => {",
  'infra/provision.ts': '',
};
const faultsOf = (...lines: string[]) => runbookFaults('doc.md', lines.join('\n'), (file) => files[file]);
const block = (command: string, language = 'sh') => [`\`\`\`${language}`, command, '```', ''];

describe("the check of runbooks' commands", () => {
  it('accepts commands that a test runs, that were tried on a date, or that are output', () => {
    expect(faultsOf(...block('npm run taskwire -- x'), 'Run by `a.test.ts`: lists the keys.')).to.deep.equal([]);
    expect(
      faultsOf(...block('node --no-warnings infra/provision.ts'), 'Tried on 2026-11-29 with `npm start`.'),
    ).to.deep.equal([]);
    expect(faultsOf(...block('{}', 'json'), 'The output.')).to.deep.equal([]);
  });

  it('accepts a title that continues on the next line, and indented blocks', () => {
    expect(
      faultsOf(
        '1. Do:',
        '',
        ...block('npm start').map((line) => `   ${line}`),
        '   Run by `a.test.ts`: lists',
        '   the keys.',
      ),
    ).to.deep.equal([]);
  });

  it('rejects commands without evidence, of a shell or of SQL', () => {
    for (const language of ['sh', 'sql']) {
      const [fault, ...others] = faultsOf('# Title', ...block('SELECT 1', language), 'Then wait.');
      expect(others).to.deep.equal([]);
      expect(fault).to.match(/^doc\.md:2 {2}no evidence for these commands: /);
    }
    expect(faultsOf(...block('npm start'))).to.have.length(1);
  });

  it('rejects a test that does not exist', () => {
    const cite = (sentence: string) => faultsOf(...block('npm start'), sentence);
    expect(cite('Run by `b.test.ts`: lists the keys.')).to.deep.equal(['doc.md:5  there is no file b.test.ts']);
    expect(cite('Run by `a.test.ts`: drops the keys.')).to.deep.equal([
      'doc.md:5  a.test.ts has no test "drops the keys"',
    ]);
  });

  it('rejects scripts and files that do not exist', () => {
    const tried = 'Tried on 2026-11-29.';
    expect(faultsOf(...block('npm run dlq'), tried)).to.deep.equal(['doc.md:2  there is no npm script dlq']);
    expect(faultsOf(...block('X=1 node infra/gone.ts'), tried)).to.deep.equal([
      'doc.md:2  there is no file infra/gone.ts',
    ]);
  });
});
