import type { Alternative, Term, TextQuery } from '../../domain/search/text-query.ts';

/**
 * SQL for a query as a tsquery. It is combined from the queries of its terms, each of which is a parameter: no text of a caller is ever part of the syntax
 * of a tsquery.
 */
export function textQuerySql(query: TextQuery, parameter: (value: unknown) => string): string {
  return query.map((one) => `(${alternativeSql(one, parameter)})`).join(' || ');
}

function alternativeSql({ all, none }: Alternative, parameter: (value: unknown) => string): string {
  return [...all.map((term) => termSql(term, parameter)), ...none.map((term) => `!! ${termSql(term, parameter)}`)].join(
    ' && ',
  );
}

function termSql({ text, isPhrase, isPrefix }: Term, parameter: (value: unknown) => string): string {
  // a prefix has only letters and digits (`readTextQuery`), which are not syntax
  if (isPrefix) return `to_tsquery('task_text', ${parameter(`${text}:*`)})`;
  return `${isPhrase ? 'phraseto_tsquery' : 'plainto_tsquery'}('task_text', ${parameter(text)})`;
}
