import { recordedSpan, SpanKind, withSpan } from '@taskwire/telemetry';
import { sqlStateOf } from './sql.ts';

/**
 * Runs a statement in a span, if it is part of a recorded trace: https://opentelemetry.io/docs/specs/semconv/db/postgresql/. The span has the name of
 * the statement, by which statements.sql lists it. Neither its text nor its values are recorded.
 */
export async function inQuerySpan<T>(
  { name, text }: { name?: string | undefined; text: string },
  run: () => Promise<T>,
): Promise<T> {
  if (recordedSpan() === undefined) return await run();
  const operation = operationOf(text);
  const summary = name ?? [operation, targetOf(text)].join(' ').trim();
  const attributes = () => ({
    'db.system.name': 'postgresql',
    'db.operation.name': operation,
    'db.query.summary': summary,
  });
  return await withSpan({ name: summary, kind: SpanKind.CLIENT, attributes }, async (span) => {
    try {
      return await run();
    } catch (error) {
      const state = sqlStateOf(error);
      if (state !== undefined) span.setAttribute('db.response.status_code', state);
      throw error;
    }
  });
}

function operationOf(text: string): string {
  return /\w+/.exec(text)?.[0].toUpperCase() ?? '';
}

/** The first table of a statement without a name. */
function targetOf(text: string): string {
  return /\b(?:from|into|update)\s+([a-z_][\w.]*)/i.exec(text)?.[1] ?? '';
}
