/** Collects the filter conditions of a list. The statement contains only those requested, so that the planner can choose a matching index. */
export type Conditions = {
  /** Adds a condition, unless a value to compare with is missing. `condition` receives the placeholders of the values. */
  where(compared: readonly unknown[], condition: (...placeholders: string[]) => string): void;
  /** All added conditions, for use after WHERE. */
  sql(): string;
  values: unknown[];
};

export function conditions(always = 'true'): Conditions {
  const parts = [always];
  const values: unknown[] = [];
  return {
    values,
    sql: () => parts.join(' AND '),
    where(compared, condition) {
      if (compared.some((value) => value === undefined || value === null)) return;
      parts.push(condition(...compared.map((value) => `$${values.push(value)}`)));
    },
  };
}

/** A LIKE pattern that matches text containing this text; wildcards in it are escaped. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** Converts ISO text for PostgreSQL, which has no year 0 and rejects very long fractions. */
export function toTimestamp(instant: string | undefined): string | null {
  if (instant === undefined) return null;
  return instant.startsWith('0000') ? '-infinity' : instant.replace(/(\.\d{6})\d+/, '$1');
}
