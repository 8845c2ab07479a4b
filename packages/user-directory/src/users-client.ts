import type { Answer, ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import { userState, type UserState } from './user.ts';

export type UsersPage = { data: UserState[]; next_cursor: string | null };

/** The part of Auth's internal REST API that directories need. */
export type UsersClient = {
  getUser(id: string, signal?: AbortSignal): Promise<Answer<UserState>>;
  /** One page of all users, including deleted ones, by time of change. `updatedSince` is ISO 8601 and inclusive. */
  listUsers(
    place: { updatedSince: string | null; cursor: string | null },
    signal?: AbortSignal,
  ): Promise<Answer<UsersPage>>;
  /** Whether calls to Auth would be refused now; in that state, work that needs Auth is not claimed. */
  readonly open: boolean;
};

/** The maximum that Auth allows, to minimise the round trips of a fill. */
const pageSize = 100;
/** Long enough for a page of a hundred rows; no user is waiting for it. */
const pageTimeoutMs = 10_000;

const usersPage = z.object({ data: z.array(userState), next_cursor: z.string().nullable() });

/** Reads Auth's users with a client for audience `urn:taskwire:auth` and scope `users:read`. */
export function createUsersClient(client: ServiceClient): UsersClient {
  return {
    get open() {
      return client.open;
    },
    getUser: async (id, signal) => await client.get(`/users/${encodeURIComponent(id)}`, userState, { signal }),
    async listUsers({ updatedSince, cursor }, signal) {
      const query = new URLSearchParams({ limit: String(pageSize) });
      if (updatedSince !== null) query.set('updated_since', updatedSince);
      if (cursor !== null) query.set('cursor', cursor);
      const options = { timeoutMs: pageTimeoutMs, ...{ signal } };
      return await client.get(`/users?${query}`, usersPage, options);
    },
  };
}
