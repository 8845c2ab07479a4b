import type { z } from 'zod';

declare const described: unique symbol;

/**
 * JSON text with the shape of a schema. Only two things produce it: `jsonText`, and the rows of a statement that builds the JSON in the database, which
 * the row's type declares. The walk through the contract's responses parses the text with the schema.
 */
export type JsonText<S extends z.ZodType> = string & { readonly [described]: S };

/** Serializes a value with the shape of the schema. */
export function jsonText<S extends z.ZodType>(_schema: S, value: z.input<S>): JsonText<S> {
  return JSON.stringify(value) as JsonText<S>;
}
