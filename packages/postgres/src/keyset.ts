/**
 * The order of a list, by columns that are unique together. All columns sort in the same direction, so that a single row comparison finds the rows
 * after a position, and an index can serve it.
 */
export type Keyset = {
  direction: 'ASC' | 'DESC';
  /** The columns by their names in the rows: each as SQL, with the type to which PostgreSQL converts a position. */
  columns: Readonly<Record<string, KeyColumn>>;
};

type KeyColumn = {
  sql: string;
  type: 'timestamptz' | 'uuid' | 'bigint' | 'text';
  /** Set for a column with nulls. A position cannot contain a null, so only `first` can read such a list. */
  nulls?: 'NULLS FIRST';
};

/** The part of a list to read: after the position of a row of this list, or from the beginning if no position is given. */
export type Place = { after: readonly string[] | undefined; limit: number };

/** A page of a list. `next` is the position of its last item; undefined on the last page. */
export type Page<T> = { items: T[]; next: readonly string[] | undefined };

/**
 * Returns the clauses that read a page in an SQL statement, with parameters numbered from `first`. `condition` matches the rows after the position.
 * Qualify each column with its table: an unqualified name in ORDER BY would refer to the text of that name in the select list, which has no index.
 * The statement needs `limit + 1` rows for `pageOf`.
 */
export function keyset(
  { direction, columns }: Keyset,
  { after, limit }: Place,
  first = 1,
): { condition: string; orderAndLimit: string; values: unknown[] } {
  const keys = Object.values(columns);
  const order = keys.map(({ sql }) => `${sql} ${direction}`).join(', ');
  const values = [...(after ?? []), limit + 1];
  const condition =
    after === undefined
      ? 'true'
      : followsSql(
          { direction, columns },
          keys.map((_, index) => `$${first + index}`),
        );
  return { condition, orderAndLimit: `ORDER BY ${order} LIMIT $${first + values.length - 1}`, values };
}

/** Returns the condition that a row follows the position in these placeholders. */
export function followsSql({ direction, columns }: Keyset, placeholders: readonly string[]): string {
  const keys = Object.values(columns);
  const position = keys.map(({ type }, index) => `${placeholders[index]}::${type}`);
  return `(${keys.map(({ sql }) => sql).join(', ')}) ${direction === 'ASC' ? '>' : '<'} (${position.join(', ')})`;
}

/** Creates a page from at most `limit` rows and, if another page follows, one surplus row. */
export function pageOf<R extends object>(
  rows: readonly R[],
  { columns }: Pick<Keyset, 'columns'>,
  limit: number,
): Page<R> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next: more ? Object.keys(columns).map((name) => String(Reflect.get(last, name))) : undefined };
}
