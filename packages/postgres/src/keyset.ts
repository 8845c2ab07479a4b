/**
 * The order of a list, by columns that are unique together. They all sort in one direction, so that one comparison of rows finds what follows a row,
 * and an index can serve it.
 */
export type Keyset = {
  direction: 'ASC' | 'DESC';
  /** By the name that the column has in rows: the column as SQL, and the type to which PostgreSQL converts a position. */
  columns: Readonly<Record<string, KeyColumn>>;
};

type KeyColumn = {
  sql: string;
  type: 'timestamptz' | 'uuid' | 'bigint';
  /** For a column with nulls, which no position can name: only `first` reads such a list. */
  nulls?: 'NULLS FIRST';
};

/** The part of a list to read: after a position, which is that of a row of this list; from the beginning without one. */
export type Place = { after: readonly string[] | undefined; limit: number };

/** A page of a list. `next` is the position of its last item; undefined if nothing follows. */
export type Page<T> = { items: T[]; next: readonly string[] | undefined };

/**
 * The clauses of a page for a statement in SQL, with numbered parameters from `first` on. `condition` finds what follows the position. A bare column
 * in ORDER BY would mean the text of that name in the select list, for which there is no index: qualify it with its table. The statement needs
 * `limit + 1` rows for `pageOf`.
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

/** The condition that a row follows the position of these placeholders. */
export function followsSql({ direction, columns }: Keyset, placeholders: readonly string[]): string {
  const keys = Object.values(columns);
  const position = keys.map(({ type }, index) => `${placeholders[index]}::${type}`);
  return `(${keys.map(({ sql }) => sql).join(', ')}) ${direction === 'ASC' ? '>' : '<'} (${position.join(', ')})`;
}

/** Creates a page from `limit` rows and a surplus row, which shows whether another page follows. */
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
