import type { Answer, ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import { userState, type UserState } from './user.ts';

export type UsersPage = { data: UserState[]; next_cursor: string | null };

/** Auth's internal REST API, as far as directories need it. */
export type UsersClient = {
  getUser(id: string, signal?: AbortSignal): Promise<Answer<UserState>>;
  /** One page of all users, with the deleted, by time of change. `updatedSince` is ISO 8601 and inclusive. */
  listUsers(
    place: { updatedSince: string | null; cursor: string | null },
    signal?: AbortSignal,
  ): Promise<Answer<UsersPage>>;
  /** Whether Auth would not be asked now; work that needs it is not claimed meanwhile. */
  readonly open: boolean;
};

/** The most that Auth gives; fewer round trips for a fill. */
const pageSize = 100;
/** A page is a hundred rows, and nobody waits for it. */
const pageTimeoutMs = 10_000;

const usersPage = z.object({ data: z.array(userState), next_cursor: z.string().nullable() });

/** Auth's users over a client with audience `urn:taskwire:auth` and scope `users:read`. */
export function createUsersClient(client: ServiceClient): UsersClient {
  return {
    get open() {
      return client.open;
    },
    getUser: async (id, signal) =>
      await client.get(`/users/${encodeURIComponent(id)}`, userState, signal === undefined ? {} : { signal }),
    async listUsers({ updatedSince, cursor }, signal) {
      const query = new URLSearchParams({ limit: String(pageSize) });
      if (updatedSince !== null) query.set('updated_since', updatedSince);
      if (cursor !== null) query.set('cursor', cursor);
      const options = { timeoutMs: pageTimeoutMs, ...(signal === undefined ? {} : { signal }) };
      return await client.get(`/users?${query}`, usersPage, options);
    },
  };
}
