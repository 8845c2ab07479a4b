import { isoMicros, query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { Person, TasksHarness } from './tasks-harness.ts';

type Item = { id: string; deleted?: true; version?: number; project_id?: string | null };
export type SyncPage = { data: Item[]; next_token: string; more: boolean; as_of: string } & {
  projects?: { project_id: string; access: string }[];
};
type Feed = 'syncTasks' | 'syncPeople';

/** A client that has only what a sync feed returns. */
export type Copy = {
  items: ReadonlyMap<string, Item>;
  /** Reads one page, and applies it. */
  read(query?: Record<string, string>): Promise<SyncPage>;
  /** Reads pages until the copy has everything that was committed before the call. */
  catchUp(): Promise<void>;
  token(): string | undefined;
};

export function startCopy(harness: TasksHarness, feed: Feed, { token: access }: Person, limit = 100): Copy {
  const items = new Map<string, Item>();
  let token: string | undefined;

  async function read(query: Record<string, string> = {}): Promise<SyncPage> {
    const given = { limit: String(limit), ...(token === undefined ? {} : { token }), ...query };
    const ask = async () => await harness.call(feed, { token: access, query: given });
    let answer = await ask();
    // on a machine too busy for a statement or connection, the service answers 503
    for (let time = 0; answer.status === 503 && time < 10; time++) answer = await ask();
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    const page = answer.body as SyncPage;
    const lost = (page.projects ?? []).filter(({ access }) => access === 'lost').map(({ project_id }) => project_id);
    for (const { id, project_id } of items.values()) if (lost.includes(project_id ?? '')) items.delete(id);
    for (const item of page.data) {
      if (item.deleted === true) items.delete(item.id);
      else items.set(item.id, item);
    }
    token = page.next_token;
    return page;
  }

  return {
    items,
    read,
    token: () => token,
    async catchUp() {
      const start = await databaseTime(harness);
      for (;;) {
        const { more, as_of } = await read();
        if (!more && as_of > start) return;
      }
    },
  };
}

/** The time of the database, as `as_of` has it. */
async function databaseTime({ database }: TasksHarness): Promise<string> {
  const [row] = await query<{ at: string }>(database.db.pool, `SELECT ${isoMicros('clock_timestamp()')} AS at`);
  return row!.at;
}
