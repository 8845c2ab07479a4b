/** Returns a LIKE pattern that matches text containing the given text, in which wildcards are escaped. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** Converts ISO text for PostgreSQL, which has no year 0 and rejects very long fractions. */
export function toTimestamp(instant: string | undefined): string | undefined {
  if (instant === undefined) return undefined;
  return instant.startsWith('0000') ? '-infinity' : instant.replace(/(\.\d{6})\d+/, '$1');
}
