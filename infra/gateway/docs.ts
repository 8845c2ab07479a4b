import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip as gzipWithCallback } from 'node:zlib';
import { problemTypes } from '@taskwire/errors';

const gzip = promisify(gzipWithCallback);
const pages = new URL('pages/', import.meta.url);
const contracts = new URL('../../contracts/', import.meta.url);
const services = ['auth', 'tasks', 'notifications'];

/**
 * Fills a folder with everything that the gateway serves under /docs: the viewer, the OpenAPI documents, AsyncAPI, and the page of problem codes.
 * Adds a compressed copy of each. Deletes the previous contents of the folder. Throws if the generated contracts are missing.
 */
export async function assembleDocs(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'openapi'), { recursive: true });
  const viewer = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  await cp(fileURLToPath(pages), folder, { recursive: true });
  await Promise.all([
    ...['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'swagger-ui.css', 'favicon-32x32.png'].map((file) =>
      copyFile(join(viewer, file), join(folder, file)),
    ),
    ...services.map((service) =>
      copyFile(new URL(`openapi/${service}.json`, contracts), join(folder, 'openapi', `${service}.json`)),
    ),
    copyFile(new URL('asyncapi.yaml', contracts), join(folder, 'asyncapi.yaml')),
    writeFile(join(folder, 'problems.html'), problemsPage()),
  ]);
  await compress(folder);
}

/** Adds a `.gz` next to every text file, which nginx sends to browsers that accept it. */
async function compress(folder: string): Promise<void> {
  const files = await readdir(folder, { recursive: true });
  const texts = files.filter((file) => /\.(html|css|js|json|yaml)$/.test(file));
  await Promise.all(
    texts.map(async (file) => {
      const path = join(folder, file);
      await writeFile(`${path}.gz`, await gzip(await readFile(path)));
    }),
  );
}

function problemsPage(): string {
  const rows = Object.entries(problemTypes)
    .map(([code, { status, title }]) => {
      return `<tr id="${code}"><td><a href="#${code}"><code>${code}</code></a></td><td>${status}</td><td>${escapeHtml(title)}</td></tr>`;
    })
    .join('\n');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Problem codes of Taskwire</title>
    <link rel="stylesheet" href="/docs/pages.css" />
  </head>
  <body>
    <nav class="links"><strong>Taskwire API</strong><a href="/docs/">API reference</a></nav>
    <main class="problems">
      <h1>Problem codes</h1>
      <p>
        Every error is an <code>application/problem+json</code> document (RFC 9457). Programs decide by its <code>code</code>,
        which never changes its meaning; <code>title</code> and <code>detail</code> are for people, <code>errors</code> names the
        fields at fault, <code>request_id</code> finds the request in the logs.
      </p>
      <table>
        <thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead>
        <tbody>
${rows}
        </tbody>
      </table>
    </main>
  </body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error('Usage: node infra/gateway/docs.ts <folder>');
  await readFile(new URL('asyncapi.yaml', contracts)).catch(() => {
    throw new Error('The generated contracts are missing; run `npm run generate` first');
  });
  await assembleDocs(folder);
}
