import { stripTypeScriptTypes } from 'node:module';
import { parseSync } from 'oxc-parser';

/** V8's report about a script: functions with nested ranges, the inner ones more exact. Offsets refer to the source, because Node replaces types with spaces. */
export type ScriptCoverage = {
  url: string;
  functions: readonly {
    ranges: readonly { startOffset: number; endOffset: number; count: number }[];
  }[];
};

/** The lines of a file that have code, and which of them ran in any process. Lines are counted from 1. */
export type FileCoverage = { lines: number[]; covered: Set<number> };

/** The lines of a source that have code: neither blank, nor a comment, nor only types, nor only punctuation such as `});`. */
export function codeLines(path: string, source: string): number[] {
  const stripped = stripTypeScriptTypes(source);
  const { comments } = parseSync(path, stripped);
  let code = stripped;
  for (const { start, end } of comments)
    code = code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ') + code.slice(end);
  return code.split('\n').flatMap((line, index) => (/\w/.test(line) ? [index + 1] : []));
}

/** The lines that ran, at least in part, according to one process. */
export function coveredLines(source: string, { functions }: ScriptCoverage): Set<number> {
  const counts = new Uint8Array(source.length);
  // a range that did not run comes after the enclosing range that ran, and a function after its enclosing function
  const ranges = functions.flatMap((each) => each.ranges);
  const outerFirst = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of outerFirst) counts.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  const covered = new Set<number>();
  let line = 1;
  for (let at = 0; at < source.length; at++) {
    const character = source[at] ?? '';
    if (character === '\n') line += 1;
    else if (counts[at] === 1 && /\w/.test(character)) covered.add(line);
  }
  return covered;
}

/** A part of the repository and how much of it ran. */
export type Share = { name: string; lines: number; covered: number };

/** The shares of each unit, such as packages/inbox, and of everything. */
export function sharesOf(files: ReadonlyMap<string, FileCoverage>): { units: Share[]; all: Share } {
  const units = new Map<string, Share>();
  const all = { name: 'all', lines: 0, covered: 0 };
  for (const [path, { lines, covered }] of files) {
    const name = path.split('/').slice(0, 2).join('/');
    const unit = units.get(name) ?? { name, lines: 0, covered: 0 };
    units.set(name, unit);
    for (const share of [unit, all]) {
      share.lines += lines.length;
      share.covered += lines.filter((line) => covered.has(line)).length;
    }
  }
  return { units: [...units.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)), all };
}

/** The share in percent. The share of no lines is 0, because a measurement that finds no code must not pass. */
export function percent({ lines, covered }: Share): number {
  return lines === 0 ? 0 : (100 * covered) / lines;
}
