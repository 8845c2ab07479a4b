import { createWriteStream, readFileSync } from 'node:fs';
import type { Evidence, Line } from './evidence.ts';

/** The records of a run, in memory and in a file with one line for each. */
export type History = {
  file: string;
  lines: readonly Line[];
  add(line: Line): void;
  /** Resolves once the file is complete. */
  close(): Promise<void>;
};

export function createHistory(file: string): History {
  const stream = createWriteStream(file, { mode: 0o600 });
  const lines: Line[] = [];
  return {
    file,
    lines,
    add(line) {
      lines.push(line);
      stream.write(`${JSON.stringify(line)}\n`);
    },
    close: () =>
      new Promise((resolve, reject) => stream.end((error?: Error | null) => (error ? reject(error) : resolve()))),
  };
}

/** @throws if the file is not a history. */
export function readHistory(file: string): Line[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    // the last line of a killed run may be incomplete; the rest is still usable
    .filter((text) => text.endsWith('}'))
    .map((text) => JSON.parse(text) as Line);
  if (lines[0]?.line !== 'run') throw new Error(`${file} is not the history of a run.`);
  return lines;
}

/** Returns the checker's input from a history. @throws if the run did not finish. */
export function evidenceOf(lines: readonly Line[]): Evidence {
  const world = only(lines, 'world')[0]?.world;
  if (world === undefined) throw new Error('The history ends before the state at the end was read.');
  return {
    faults: only(lines, 'mixed').length > 0 ? 'none' : 'injected',
    // a history of an earlier version has no journeys either
    trafficBegan: only(lines, 'traffic')[0]?.began ?? 0,
    operations: only(lines, 'operation').map(({ operation }) => operation),
    jobActs: only(lines, 'job').map(({ act }) => act),
    scheduleActs: only(lines, 'schedule').map(({ act }) => act),
    events: only(lines, 'event').map(({ at, event }) => ({ at, ...event })),
    injections: only(lines, 'injection').map(({ injection }) => injection),
    takeovers: only(lines, 'takeover').map(({ takeover }) => takeover),
    crashes: only(lines, 'crash').map(({ crash }) => crash),
    mails: only(lines, 'mail').map(({ mail }) => mail),
    unfinished: only(lines, 'quiescent').flatMap(({ unfinished }) => unfinished),
    world,
  };
}

/** The lines of one kind. */
export function only<K extends Line['line']>(lines: readonly Line[], kind: K): Extract<Line, { line: K }>[] {
  return lines.filter((line): line is Extract<Line, { line: K }> => line.line === kind);
}
