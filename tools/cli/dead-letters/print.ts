import type { DeadLetter, DeadLetterDetail } from '@taskwire/contracts';
import type { DeadLetterPage, PendingMessage } from '@taskwire/dead-letters';

type Columns<T> = [title: string, value: (row: T) => string][];

const withoutFraction = (instant: string): string => instant.replace(/\.\d+Z$/, 'Z');

const letterColumns: Columns<DeadLetter> = [
  ['id', ({ id }) => id],
  ['dead at', ({ dead_at }) => withoutFraction(dead_at)],
  ['type', ({ type }) => type ?? '-'],
  ['key', ({ key }) => key ?? '-'],
  ['handler', ({ handler }) => handler ?? '-'],
  ['tries', ({ attempts }) => String(attempts)],
  ['state', ({ state }) => state],
  ['reason', ({ reason, error }) => `${reason}: ${error}`],
];

type WaitingMessage = PendingMessage & { queue: string };

const waitingColumns: Columns<WaitingMessage> = [
  ['queue', ({ queue }) => queue],
  ['message id', ({ message_id }) => message_id],
  ['type', ({ type }) => type],
  ['key', ({ key }) => key ?? '-'],
  ['handler', ({ handler }) => handler],
  ['attempts', ({ attempts, unavailable }) => (unavailable === 0 ? String(attempts) : `${attempts} (+${unavailable})`)],
  ['next attempt', nextAttempt],
  ['last error', ({ last_error }) => last_error ?? '-'],
];

function nextAttempt({ state, next_attempt_at }: WaitingMessage): string {
  if (state === 'running') return 'running';
  return next_attempt_at === null ? 'after one before it' : withoutFraction(next_attempt_at);
}

export function printPage(page: DeadLetterPage): void {
  printTable(page, letterColumns);
}

/** The number in parentheses counts tries that used up no attempt, because a dependency was unavailable. */
export function printWaiting(page: { data: WaitingMessage[]; next_cursor: string | null }): void {
  printTable(page, waitingColumns);
}

/** Cuts off the last column at the width of the terminal; in a file or a pipe it is complete. */
function printTable<T>({ data, next_cursor }: { data: T[]; next_cursor: string | null }, columns: Columns<T>): void {
  if (data.length === 0) return console.log('There is none.');
  const rows = [columns.map(([title]) => title), ...data.map((row) => columns.map(([, value]) => plain(value(row))))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    const line = row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
    console.log(line.slice(0, process.stdout.columns || undefined));
  }
  if (next_cursor !== null) console.log(`\nThere are more: --cursor ${next_cursor}`);
}

export function printLetter(letter: DeadLetterDetail): void {
  const { headers, payload, payload_encoding, payload_bytes, errors, audit, ...fields } = letter;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null) console.log(`${name.padEnd(15)} ${plain(String(value))}`);
  }
  section(
    'errors',
    errors.map(({ at, attempt, error }) => `${at}  attempt ${attempt}  ${error}`),
  );
  section(
    'headers',
    Object.entries(headers).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
  );
  section(`payload (${payload_bytes} bytes, ${payload_encoding})`, payload.split('\n'));
  section(
    'audit',
    audit.map(({ at, action, actor, reason }) => `${at}  ${action} by ${actor}${reason === null ? '' : `: ${reason}`}`),
  );
}

function section(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  console.log(`\n${title}`);
  for (const line of lines) console.log(`  ${plain(line)}`);
}

/** Removes characters with which text from strangers could move the cursor or colour the terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
