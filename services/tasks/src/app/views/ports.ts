import type { JsonText, viewRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { Reader } from '../../domain/projects/reader.ts';
import type { Document, TaskStore } from '../ports.ts';
import type { FieldOrder, TaskList } from '../task-list.ts';

export type ViewSchema = (typeof viewRoutes.getView.responses)[200];
export type ViewDocument = Document<ViewSchema>;

/** What a user saves. `filter` is as it was sent. */
export type ViewContent = {
  name: string;
  shared: boolean;
  filter: Readonly<Record<string, unknown>> | null;
  q: string | null;
  sort: string | null;
};

export type View = ViewContent & { id: string; creatorId: string; version: number };

export type ViewStore = {
  /** Undefined unless the reader created the view, or it is shared. */
  read(id: string, readerId: string): Promise<ViewDocument | undefined>;
  /** The reader's own and the shared ones, newest first. */
  list(readerId: string, place: Place): Promise<Page<JsonText<ViewSchema>>>;
  /** The content of a view that the reader may read. */
  find(id: string, readerId: string): Promise<View | undefined>;
  count(tx: Tx, creatorId: string): Promise<number>;
  lock(tx: Tx, id: string): Promise<View | undefined>;
  insert(tx: Tx, creatorId: string, content: ViewContent): Promise<ViewDocument>;
  /** Stores the content as a new version. */
  update(tx: Tx, id: string, content: ViewContent): Promise<ViewDocument>;
  remove(tx: Tx, id: string): Promise<void>;
};

/**
 * The positions of tasks in views in manual order, written only while the row of the view is locked. A position is a key; keys sort by their bytes.
 */
export type Positions = {
  /** A new key between two others; null stands for an end of the view. */
  keyBetween(before: string | null, after: string | null): string;
  /** Several of them, in order. */
  keysBetween(before: string | null, after: string | null, count: number): string[];
  /** The ids of the tasks of a list, in its order. @throws Problem `search_busy`. */
  idsOf(tx: Tx, list: TaskList<FieldOrder>, limit: number): Promise<string[]>;
  /** The ids of the tasks of a list that have no position in the view, the latest first. @throws Problem `search_busy`. */
  unplaced(tx: Tx, viewId: string, list: Omit<TaskList, 'order'>, limit: number): Promise<string[]>;
  /** The position of a task that is not deleted and that the reader may read. */
  keyOf(tx: Tx, viewId: string, taskId: string, reader: Reader): Promise<string | undefined>;
  /** The position next to a key on one side, apart from that of the task `except`. */
  neighbour(
    tx: Tx,
    viewId: string,
    o: { key: string; side: 'before' | 'after'; except: string },
  ): Promise<string | null>;
  /** The last position. */
  last(tx: Tx, viewId: string): Promise<string | null>;
  /** The ids of all tasks with a position, in order. */
  all(tx: Tx, viewId: string): Promise<string[]>;
  /** Gives tasks their positions, in place of earlier ones. */
  place(tx: Tx, viewId: string, ids: readonly string[], keys: readonly string[]): Promise<void>;
  clear(tx: Tx, viewId: string): Promise<void>;
};

export type ViewPorts = {
  tasks: Pick<TaskStore, 'once' | 'transaction' | 'readTask' | 'listTasks'>;
  views: ViewStore;
  positions: Positions;
};
