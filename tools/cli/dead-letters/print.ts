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
  ['attempts', ({ attempts }) => String(attempts)],
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
  return next_attempt_at === null ? 'after an earlier one' : withoutFraction(next_attempt_at);
}

/** Returns the lines for a page. `width` is the width of the terminal; it is undefined for a file or a pipe, where lines are not shortened. */
export function pageLines(page: DeadLetterPage, width: number | undefined): string[] {
  return tableLines(page, letterColumns, width);
}

/**
 * Returns the lines for waiting messages. The number in parentheses is that of free attempts, which did not count because a dependency was
 * unavailable.
 */
export function waitingLines(
  page: { data: WaitingMessage[]; next_cursor: string | null },
  width: number | undefined,
): string[] {
  return tableLines(page, waitingColumns, width);
}

function tableLines<T>(
  { data, next_cursor }: { data: T[]; next_cursor: string | null },
  columns: Columns<T>,
  width: number | undefined,
): string[] {
  if (data.length === 0) return ['No messages found.'];
  const rows = [columns.map(([title]) => title), ...data.map((row) => columns.map(([, value]) => plain(value(row))))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return [
    ...lines.map((line) => line.trimEnd().slice(0, width)),
    ...(next_cursor === null ? [] : ['', `There are more: --cursor ${next_cursor}`]),
  ];
}

export function letterLines(letter: DeadLetterDetail): string[] {
  const { headers, payload, payload_encoding, payload_bytes, errors, audit, ...fields } = letter;
  return [
    ...Object.entries(fields).flatMap(([name, value]) =>
      value === null ? [] : [`${name.padEnd(15)} ${plain(String(value))}`],
    ),
    ...section(
      'errors',
      errors.map(({ at, attempt, error }) => `${at}  attempt ${attempt}  ${error}`),
    ),
    ...section(
      'headers',
      Object.entries(headers).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ),
    ...section(`payload (${payload_bytes} bytes, ${payload_encoding})`, payload.split('\n')),
    ...section(
      'audit',
      audit.map(
        ({ at, action, actor, reason }) => `${at}  ${action} by ${actor}${reason === null ? '' : `: ${reason}`}`,
      ),
    ),
  ];
}

export function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${plain(line)}`)];
}

/** Removes characters with which untrusted text could move the cursor or colour the terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
