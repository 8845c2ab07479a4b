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
  /** Whether Auth would not be queried now; work that needs it is not claimed in that state. */
  readonly open: boolean;
};

/** The maximum that Auth allows; fewer round trips for a fill. */
const pageSize = 100;
/** A page has a hundred rows, and no user is waiting for it. */
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
