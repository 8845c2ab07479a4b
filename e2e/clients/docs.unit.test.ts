import { readFileSync } from 'node:fs';
import { expect } from 'chai';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim().replace(/[;,]$/, ''))
    .filter(Boolean);

describe('docs/clients.md', () => {
  const blocks = [...read('docs/clients.md').matchAll(/<!-- (.+?) -->\n\n```\w*\n([\s\S]*?)```/g)];

  it("contains no line of code that the client's test does not run", () => {
    expect(blocks).to.have.length(8);
    for (const [, files = '', code = ''] of blocks) {
      const run = files.split(' ').map(read).join('\n');
      for (const line of linesOf(code)) expect(run, `${files}: ${line}`).to.include(line);
    }
  });
});
