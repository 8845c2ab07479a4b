// judge.ts <folder of the earlier contracts> <folder of the later contracts>: classifies every difference between the documents, and prints the
// findings as JSON.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareDocuments, type DocumentTexts } from './compatibility/compare.ts';

const [before, after] = process.argv.slice(2);
if (before === undefined || after === undefined) throw new Error('usage: judge.ts <folder of the earlier contracts> <folder of the later contracts>');
console.log(JSON.stringify(compareDocuments(textsIn(before), textsIn(after))));

function textsIn(folder: string): DocumentTexts {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(paths.map((path) => [path.slice(join(folder, '/').length), readFileSync(path, 'utf8')]));
}
