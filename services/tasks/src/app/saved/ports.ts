import type { JsonText } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Document } from '../ports.ts';

/** Something that a user saved under a name, such as a view or a template, and may share with all users. */
export type Saved<C> = C & { id: string; creatorId: string; version: number };

/** `C` is the content, with `name` and `shared`; `S` is the schema in which the API returns it. */
export type SavedStore<C, S extends z.ZodType> = {
  /** Undefined unless the reader created it, or it is shared. */
  read(id: string, readerId: string): Promise<Document<S> | undefined>;
  /** The content. Undefined unless the reader created it, or it is shared. */
  find(id: string, readerId: string): Promise<Saved<C> | undefined>;
  /** Those that the reader created, and those that are shared, newest first. */
  list(readerId: string, place: Place): Promise<Page<JsonText<S>>>;
  count(tx: Tx, creatorId: string): Promise<number>;
  lock(tx: Tx, id: string): Promise<Saved<C> | undefined>;
  insert(tx: Tx, creatorId: string, content: C): Promise<Document<S>>;
  /** Stores the content as a new version. */
  update(tx: Tx, id: string, content: C): Promise<Document<S>>;
  remove(tx: Tx, id: string): Promise<void>;
};
