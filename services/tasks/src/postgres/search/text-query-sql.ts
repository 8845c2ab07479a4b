import { query as run, type Queryable } from '@taskwire/postgres';
import { tooBroad, type Alternative, type Term, type TextQuery } from '../../domain/search/text-query.ts';

/**
 * SQL for a query as a tsquery. It is combined from the queries of its terms, each of which is a parameter: no text of a caller is ever part of the syntax
 * of a tsquery.
 */
export function textQuerySql(query: TextQuery, parameter: (value: unknown) => string): string {
  return query.map((one) => `(${alternativeSql(one, parameter)})`).join(' || ');
}

/**
 * Without a word, an alternative matches nothing: the database may ignore all the words that are not excluded, such as `<b>`, and `!red` would match
 * nearly every text.
 */
function alternativeSql({ all, none }: Alternative, parameter: (value: unknown) => string): string {
  const words = wordsSql(all, parameter);
  if (none.length === 0) return words;
  const excluded = none.map((term) => `!! ${termSql(term, parameter)}`).join(' && ');
  return `CASE WHEN numnode(${words}) > 0 THEN ${words} && ${excluded} ELSE '' END`;
}

function wordsSql(terms: readonly Term[], parameter: (value: unknown) => string): string {
  return terms.map((term) => termSql(term, parameter)).join(' && ');
}

/**
 * Requires that the database finds a word in every alternative. Only its parser knows: it ignores tags, entities and protocols, and which characters are
 * letters depends on its locale.
 * @throws Problem `search_too_broad`.
 */
export async function requireWords(db: Queryable, query: TextQuery): Promise<void> {
  const values: unknown[] = [];
  const conditions = query.map(({ all }) => `numnode(${wordsSql(all, (value) => `$${values.push(value)}`)}) > 0`);
  const [row] = await run<{ hasWords: boolean }>(db, `SELECT ${conditions.join(' AND ')} AS "hasWords"`, values);
  if (row?.hasWords !== true) throw tooBroad();
}

function termSql({ text, isPhrase, isPrefix }: Term, parameter: (value: unknown) => string): string {
  // a prefix has only letters, digits and hyphens (`readTextQuery`), which are not syntax; with a hyphen, the word and its parts become a phrase
  if (isPrefix) return `to_tsquery('task_text', ${parameter(`${text}:*`)})`;
  return `${isPhrase ? 'phraseto_tsquery' : 'plainto_tsquery'}('task_text', ${parameter(text)})`;
}
