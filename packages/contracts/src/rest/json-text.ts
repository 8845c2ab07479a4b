import type { z } from 'zod';

declare const described: unique symbol;

/**
 * JSON text with the shape of a schema. It is produced only by `jsonText`, and by statements that build the JSON in the database and declare it in
 * the type of their rows. A test that walks through the contract's responses parses the text with the schema.
 */
export type JsonText<S extends z.ZodType> = string & { readonly [described]: S };

/** Serializes a value with the shape of the schema. */
export function jsonText<S extends z.ZodType>(_schema: S, value: z.input<S>): JsonText<S> {
  return JSON.stringify(value) as JsonText<S>;
}
