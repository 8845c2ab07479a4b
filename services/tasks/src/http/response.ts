import type { JsonText, Route } from '@taskwire/contracts';
import { PreserializedJson, type Cursors } from '@taskwire/http-server';
import type { Page } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Document } from '../app/ports.ts';

/** A success status of a route whose response has a body, and the schema of that body. */
type StatusOf<R extends Route> = {
  [S in keyof R['responses']]: R['responses'][S] extends z.ZodType ? S : never;
}[keyof R['responses']];
type BodyOf<R extends Route, S extends StatusOf<R>> = Extract<R['responses'][S], z.ZodType>;

/** Sends JSON text from the database as the route's response body, and the version as its ETag. */
export function respond<R extends Route, S extends StatusOf<R>, D extends Document<BodyOf<R, S>>>(
  route: R,
  status: S,
  { text, ...rest }: D,
): Omit<D, 'text'> & { status: S; body: PreserializedJson<BodyOf<R, S>> } {
  return { ...rest, status, body: new PreserializedJson(route.responses[status as number] as BodyOf<R, S>, text) };
}

/** The schema of the items of a list. */
type ItemOf<S> =
  S extends z.ZodObject<infer Shape>
    ? Shape extends { data: z.ZodArray<infer I extends z.ZodType> }
      ? I
      : never
    : never;

/** Sends a page of a list, made of JSON texts from the database, with further fields beside `data`. */
export function pageBody<S extends z.ZodType>(
  schema: S,
  { items, next }: Page<JsonText<ItemOf<S>>>,
  cursors: Cursors,
  more: Readonly<Record<string, string>> = {},
): PreserializedJson<S> {
  const cursor = next === undefined ? null : cursors.encode(next);
  const rest = JSON.stringify({ next_cursor: cursor, ...more });
  const text = `{"data":[${items.join(',')}],${rest.slice(1)}`;
  return new PreserializedJson(schema, text as JsonText<S>);
}
