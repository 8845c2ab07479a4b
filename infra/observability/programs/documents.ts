// node infra/observability/programs/documents.ts: serves docs/ of this repository, so that the runbook of an alert is one click away on a developer's
// machine. A page shows the Markdown as it is, with an anchor for each heading and with working links.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvOrExit } from '@taskwire/env';
import { z } from 'zod';
import { anchorOf } from '../anchor.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const env = readEnvOrExit(z.object({ PORT: z.coerce.number().int().default(9147) }), process);

createServer((request, response) => {
  const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
  const text = /^\/docs\/[\w./-]+\.md$/.test(path) ? read(path) : undefined;
  if (text === undefined) return void response.writeHead(404).end('There is no such document.\n');
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(text));
}).listen(env.PORT, '127.0.0.1');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

function page(markdown: string): string {
  const body = markdown
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/^(#+ (.+))$/gm, (_, line: string, title: string) => `<b id="${anchorOf(title)}">${line}</b>`)
    .replaceAll(/\[([^\]]+)\]\(([^)\s"]+)\)/g, '<a href="$2">$1</a>');
  const style = 'body{margin:2rem}pre{font-size:1rem;white-space:pre-wrap;max-width:150ch}:target{background:#fd6}';
  return `<!doctype html><meta charset="utf-8"><title>Taskwire</title><style>${style}</style><pre>${body}</pre>`;
}
