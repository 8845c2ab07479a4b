/** Collects what a list is filtered by. Only what is asked for is in the statement, so that the planner sees which index fits. */
export type Conditions = {
  /** Adds a condition, unless there is nothing to compare with; `condition` is given the placeholders of the values. */
  where(compared: readonly unknown[], condition: (...placeholders: string[]) => string): void;
  /** All that were added, for behind WHERE. */
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

/** A pattern of LIKE for what has this text in it; its wildcards mean themselves. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** ISO text for PostgreSQL, which has no year 0 and refuses very long fractions. */
export function toTimestamp(instant: string | undefined): string | null {
  if (instant === undefined) return null;
  return instant.startsWith('0000') ? '-infinity' : instant.replace(/(\.\d{6})\d+/, '$1');
}
