import type { Answer } from '@taskwire/http-client';
import type { UserEvent, UserEventType, UsersClient, UsersPage, UserState } from '../src/index.ts';

export type PublishedEvent = { type: UserEventType; event: UserEvent; sourceEpoch: number };

type GetAnswer = (id: string, signal: AbortSignal | undefined) => Answer<UserState> | Promise<Answer<UserState>>;

/** An in-memory Auth with the same rules for users and versions as the real one, with a REST API. */
export type FakeAuth = {
  users: UsersClient;
  create(id: string, fields?: Partial<UserState>): PublishedEvent;
  change(id: string, fields?: Partial<UserState>): PublishedEvent;
  remove(id: string): PublishedEvent;
  /** An admin restores a deleted user. */
  revive(id: string): PublishedEvent;
  /** A forged event, dated `laterMs` from now. */
  pretend(type: UserEventType, id: string, laterMs?: number): PublishedEvent;
  /** Ends all access granted so far, which Auth announces with two events. */
  endAccess(id: string): [PublishedEvent, PublishedEvent];
  /** Resets a user to an earlier state, or removes the user, as restoring a backup does. */
  restore(id: string, state: UserState | undefined): void;
  state(id: string): UserState | undefined;
  states(): UserState[];
  /** GET /users/{id} as it is now. */
  read(id: string): Answer<UserState>;
  /** The ids and list positions that were requested, oldest first. */
  asked: string[];
  listed: { updatedSince: string | null; cursor: string | null }[];
  /** Replaces the responses to GET /users/{id}; without an argument, restores the default responses. */
  answer(by?: GetAnswer): void;
  answerList(by?: () => Answer<UsersPage>): void;
  setOpen(open: boolean): void;
  /** Raises the epoch of its database, as restoring a backup does. Its states and events contain the epoch. */
  raiseEpoch(): void;
};

export function fakeAuth(options: { pageSize?: number; ageMs?: number } = {}): FakeAuth {
  const { pageSize = 100, ageMs = 0 } = options;
  const held = new Map<string, UserState>();
  const asked: string[] = [];
  const listed: FakeAuth['listed'] = [];
  let microseconds = 0;
  const beginning = Date.now() - ageMs;
  let answerGet: GetAnswer | undefined;
  let answerPage: (() => Answer<UsersPage>) | undefined;
  let open = false;
  let epoch = 1;

  function stamp(): string {
    microseconds += 1;
    const at = new Date(beginning + Math.floor(microseconds / 1000)).toISOString();
    return at.replace('Z', `${String(microseconds % 1000).padStart(3, '0')}Z`);
  }

  function put(state: UserState, type: UserEventType): PublishedEvent {
    held.set(state.id, state);
    return { type, event: { user_id: state.id, timestamp: state.updated_at }, sourceEpoch: epoch };
  }

  function living(id: string): UserState {
    const state = held.get(id);
    if (state === undefined || state.is_deleted) throw new Error(`${id} is not alive`);
    return state;
  }

  function read(id: string): Answer<UserState> {
    const state = held.get(id);
    if (state === undefined) return { kind: 'not_found' };
    if (state.is_deleted) return { kind: 'gone', detail: 'The user was deleted.' };
    return { kind: 'ok', value: { ...state, source_epoch: epoch } };
  }

  function list({ updatedSince, cursor }: FakeAuth['listed'][number]): Answer<UsersPage> {
    const place = (state: UserState) => `${state.updated_at} ${state.id}`;
    const found = [...held.values()]
      .filter((state) => updatedSince === null || state.updated_at >= updatedSince)
      .filter((state) => cursor === null || place(state) > cursor)
      .sort((a, b) => (place(a) < place(b) ? -1 : 1));
    const data = found.slice(0, pageSize).map((state) => ({ ...state, source_epoch: epoch }));
    const last = data.at(-1);
    const next = found.length > pageSize && last !== undefined ? place(last) : null;
    return { kind: 'ok', value: { data, next_cursor: next } };
  }

  return {
    asked,
    listed,
    read,
    users: {
      get open() {
        return open;
      },
      async getUser(id, signal) {
        asked.push(id);
        return answerGet === undefined ? read(id) : await answerGet(id, signal);
      },
      async listUsers({ updatedSince, cursor }) {
        listed.push({ updatedSince, cursor });
        return answerPage === undefined ? list({ updatedSince, cursor }) : answerPage();
      },
    },
    create(id, fields = {}) {
      const state: UserState = {
        id,
        email: `${id}@taskwire.test`,
        email_verified: true,
        name: 'Ann',
        role: 'member',
        version: 1,
        updated_at: stamp(),
        is_deleted: false,
        tokens_valid_after: null,
        source_epoch: 1,
        ...fields,
      };
      return put(state, 'auth.user.created');
    },
    change(id, fields = { name: `Ann ${microseconds}` }) {
      const before = living(id);
      return put({ ...before, ...fields, version: before.version + 1, updated_at: stamp() }, 'auth.user.changed');
    },
    endAccess(id) {
      const before = living(id);
      const at = stamp();
      const ended = { ...before, tokens_valid_after: at, version: before.version + 1, updated_at: at };
      const changed = put(ended, 'auth.user.changed');
      return [changed, { ...changed, type: 'auth.account.access_ended' }];
    },
    remove(id) {
      const before = living(id);
      return put(
        { ...before, is_deleted: true, version: before.version + 1, updated_at: stamp() },
        'auth.user.deleted',
      );
    },
    revive(id) {
      const before = held.get(id);
      if (before?.is_deleted !== true) throw new Error(`${id} is not deleted`);
      const revived = { ...before, is_deleted: false, version: before.version + 1, updated_at: stamp() };
      return put(revived, 'auth.user.changed');
    },
    pretend(type, id, laterMs = 0) {
      const timestamp = laterMs === 0 ? stamp() : new Date(Date.now() + laterMs).toISOString();
      return { type, event: { user_id: id, timestamp }, sourceEpoch: epoch };
    },
    restore(id, state) {
      if (state === undefined) held.delete(id);
      else held.set(id, state);
    },
    state: (id) => held.get(id),
    states: () => [...held.values()].map((state) => ({ ...state, source_epoch: epoch })),
    answer: (by) => void (answerGet = by),
    answerList: (by) => void (answerPage = by),
    setOpen: (now) => void (open = now),
    raiseEpoch: () => void (epoch += 1),
  };
}
