import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, type Step } from './step.ts';

/** The documents whose commands operators run in an emergency, or newcomers on their first day. */
const documents = ['docs/runbooks/*.md', 'docs/operations.md', 'docs/onboarding.md'];

/** Reads a file of the repository; undefined if there is none. */
type Read = (file: string) => string | undefined;

const evidence =
  'the next paragraph must begin with "Run by `<test file>`: <title of the test>." or with "Tried on <date> …"';

/** Names the commands of a document without evidence that they work, and the tests, scripts and files that do not exist. */
export function runbookFaults(document: string, text: string, read: Read): string[] {
  const lines = text.split('\n');
  const faults: string[] = [];
  const fault = (line: number, message: string) => void faults.push(`${document}:${line + 1}  ${message}`);
  let opened: number | undefined;
  lines.forEach((line, index) => {
    const fence = /^\s*```(\w*)/.exec(line);
    if (opened === undefined) {
      for (const message of citedTestFaults(paragraphAt(lines, index), read)) fault(index, message);
      if (fence !== null) opened = index;
      return;
    }
    if (fence === null) {
      for (const message of commandFaults(line, read)) fault(index, message);
      return;
    }
    const next = lines.findIndex((one, at) => at > index && one.trim() !== '');
    const hasEvidence = /^\s*(?:Run by `|Tried on \d{4}-\d\d-\d\d)/.test(lines[next] ?? '');
    if (/^\s*```(?:sh|sql)/.test(lines[opened] ?? '') && !hasEvidence)
      fault(opened, `no evidence for these commands: ${evidence}`);
    opened = undefined;
  });
  return faults;
}

/** The sentence that cites a test, if one begins at a line: up to its full stop at the end of a line. */
function paragraphAt(lines: readonly string[], index: number): string | undefined {
  if (!/^\s*Run by `/.test(lines[index] ?? '')) return undefined;
  const end = lines.findIndex((line, at) => at >= index && /\.$/.test(line));
  return lines
    .slice(index, end + 1)
    .map((line) => line.trim())
    .join(' ');
}

function citedTestFaults(sentence: string | undefined, read: Read): string[] {
  if (sentence === undefined) return [];
  const [, file = '', title = ''] = /^Run by `([^`]+)`: (.+)\.$/.exec(sentence) ?? [];
  const source = read(file);
  if (source === undefined) return [`there is no file ${file}`];
  // quotes are as the source has them: escaped, or of another kind
  return source.includes(title) ? [] : [`${file} has no test "${title}"`];
}

function commandFaults(line: string, read: Read): string[] {
  const scripts = (JSON.parse(read('package.json') ?? '{}') as { scripts?: Record<string, string> }).scripts ?? {};
  const npm = [...line.matchAll(/\bnpm (?:run )?([\w:]+)/g)].map(([, script = '']) => script);
  const files = [...line.matchAll(/\bnode (?:--\S+ )*([\w./-]+\.m?[jt]s)\b/g)].map(([, file = '']) => file);
  return [
    ...npm.filter((script) => scripts[script] === undefined).map((script) => `there is no npm script ${script}`),
    ...files.filter((file) => read(file) === undefined).map((file) => `there is no file ${file}`),
  ];
}

/** Checks that each command of a runbook is run by a test, or says when it was tried. */
export const runbooksStep: Step = {
  name: "runbooks' commands",
  faults: () => {
    const files = globSync(documents, { cwd: root }).sort();
    if (files.length === 0) return Promise.resolve(['No runbook was found: the check is looking in the wrong place.']);
    const read: Read = (file) => (existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : undefined);
    return Promise.resolve(files.flatMap((file) => runbookFaults(file, read(file) ?? '', read)));
  },
};
