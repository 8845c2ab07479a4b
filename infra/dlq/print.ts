import type { DeadLetter, DeadLetterDetail } from '@taskwire/contracts';
import type { DeadLetterPage } from '@taskwire/inbox';

const columns: [title: string, value: (letter: DeadLetter) => string][] = [
  ['id', ({ id }) => id],
  ['dead at', ({ dead_at }) => dead_at.replace(/\.\d+Z$/, 'Z')],
  ['type', ({ type }) => type ?? '-'],
  ['key', ({ key }) => key ?? '-'],
  ['handler', ({ handler }) => handler ?? '-'],
  ['tries', ({ attempts }) => String(attempts)],
  ['state', ({ state }) => state],
  ['reason', ({ reason, error }) => `${reason}: ${error}`],
];

/** The last column ends where the terminal does; into a file or a pipe it goes whole. */
export function printPage({ data, next_cursor }: DeadLetterPage): void {
  if (data.length === 0) return console.log('There is none.');
  const rows = [
    columns.map(([title]) => title),
    ...data.map((letter) => columns.map(([, value]) => plain(value(letter)))),
  ];
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

/** What strangers sent must not move the cursor or colour the terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
