import type { JsonText, viewRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { Document, TaskStore } from '../ports.ts';

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
  count(tx: Tx, creatorId: string): Promise<number>;
  lock(tx: Tx, id: string): Promise<View | undefined>;
  insert(tx: Tx, creatorId: string, content: ViewContent): Promise<ViewDocument>;
  /** Stores the content as a new version. */
  update(tx: Tx, id: string, content: ViewContent): Promise<ViewDocument>;
  remove(tx: Tx, id: string): Promise<void>;
};

export type ViewPorts = { tasks: Pick<TaskStore, 'once' | 'transaction'>; views: ViewStore };
