// generate.ts <folder>: writes OpenAPI, AsyncAPI, the JSON Schemas of events and the table of permissions into the folder. Removes documents that are
// no longer generated, and leaves all other files.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { allDocuments, type Document } from './documents.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: generate.ts <folder>');

const documents = allDocuments();
await removeObsoleteDocuments(folder, new Set(documents.map(({ path }) => path)));
for (const document of documents) {
  const file = join(folder, document.path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, textOf(document));
}

function textOf({ path, content }: Document): string {
  if (typeof content === 'string') return content;
  if (path.endsWith('.yaml')) return stringify(content, { lineWidth: 0, aliasDuplicateObjects: false });
  return `${JSON.stringify(content, null, 2)}\n`;
}

async function removeObsoleteDocuments(base: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const part of ['openapi', 'events']) {
    const files = await readdir(join(base, part)).catch(() => []);
    for (const file of files) if (!wanted.has(`${part}/${file}`)) await rm(join(base, part, file));
  }
}
