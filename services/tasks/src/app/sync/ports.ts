import type { Settled } from '@taskwire/postgres';

import type { Reader } from '../../domain/projects/reader.ts';

/** The name of a feed: `tasks`, or `people` for the names of users. */
export type FeedName = 'tasks' | 'people';

/** The position of a copy in a feed. */
export type Position = {
  /** The epoch of the database to which the numbers belong. */
  epoch: number;
  /** The role of the reader, on which the contents depend; empty for a feed that does not depend on it. */
  role: string;
  /** The copy has all changes up to this number. */
  after: number;
  /** Removals up to this number are omitted: they happened before the copy was begun. */
  floor: number;
  /** A project that the reader has gained, whose tasks are sent before the feed continues. */
  refill?: Refill | undefined;
  /** When the copy was last complete, or else when it was begun; UTC with microseconds. */
  since: string;
};

/** The tasks of a project, in the order of their ids. Those with numbers above `upTo` are sent as changes. */
export type Refill = { projectId: string; afterId: string | null; upTo: number };

/** A project that the reader has gained or lost. */
export type AccessChange = { project_id: string; access: 'gained' | 'lost' };

/** Changes with numbers above `after`, up to `upTo`. */
export type ChangeRange = Pick<Position, 'after' | 'floor'> & { upTo: number; limit: number; reader: Reader };

/**
 * `last` is the number of the last change of a page that another page follows; a page that passed over many tasks of others may be empty. A page ends with
 * a project that was gained, and `refill` then has its tasks.
 */
export type ChangePage = {
  items: string[];
  projects: AccessChange[];
  last: number | undefined;
  refill?: Refill | undefined;
};

export type RefillPage = { items: string[]; rest: Refill | undefined };

export type Feed = {
  /**
   * Finds the numbers that are settled now. Returns older numbers while a writing transaction takes long. @throws Problem `unavailable` while none
   * are known.
   */
  settle(): Promise<Settled>;
  /** The numbers that were last found to be settled. */
  known(): Settled | undefined;
  /** The current states of the changed rows, in the order of their numbers, as JSON texts. @throws Problem `search_busy`. */
  read(range: ChangeRange): Promise<ChangePage>;
  /** The tasks of a project, as far as the reader may read them. @throws Problem `search_busy`. */
  refill(refill: Refill, part: Pick<ChangeRange, 'limit' | 'reader'>): Promise<RefillPage>;
};
