const known = new Set(['timestamp', 'level', 'service', 'message', 'trace_id']);

/** Formats a log line for people: a service's JSON as time, process, level, message and the remaining fields that have a value; other lines unchanged. */
export function readableLine(process: string, line: string): string {
  const name = process.padEnd(13);
  const entry = asObject(line);
  if (entry === undefined) return `${name} ${line}`;
  const time = String(entry.timestamp ?? '').slice(11, 23);
  const fields = Object.entries(entry)
    .filter(([key, value]) => !known.has(key) && value !== '')
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [name, time, String(entry.level ?? '').padEnd(5), String(entry.message ?? ''), ...fields].join(' ');
}

function asObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
