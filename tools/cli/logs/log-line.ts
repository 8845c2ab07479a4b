/** A line of a log that is a JSON object. */
export type LogLine = {
  entry: Readonly<Record<string, unknown>>;
  /** The JSON text, without the prefix that `docker compose logs` or `kubectl logs --prefix` add. */
  text: string;
  /** The milliseconds since 1970; NaN if the line has no valid timestamp. */
  at: number;
};

/** Reads a line. Undefined for a line that is no JSON object, such as those of PostgreSQL and RabbitMQ. */
export function readLogLine(line: string): LogLine | undefined {
  const start = line.indexOf('{');
  if (start < 0) return undefined;
  const text = line.slice(start).trimEnd();
  try {
    const entry: unknown = JSON.parse(text);
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
    const { timestamp } = entry as { timestamp?: unknown };
    return {
      entry: entry as LogLine['entry'],
      text,
      at: typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN,
    };
  } catch {
    return undefined;
  }
}

/** Returns a field of a line that is text and not empty. */
export function fieldOf({ entry }: LogLine, name: string): string | undefined {
  const value = entry[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
