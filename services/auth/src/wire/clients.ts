import type { Component } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Logger } from '@taskwire/telemetry';
import { endConsent, endSession, listConsents, listSessions } from '../app/own-access.ts';
import type { QueuesOfClients } from '../app/list-queues.ts';
import type { RegisteredClient, StoredClients } from '../app/ports/clients.ts';
import { clientFaults } from '../env.ts';
import type { AccessUseCases } from '../http/access-routes.ts';
import { createOwnAccess } from '../postgres/own-access.ts';

/** The clients from the configuration and those registered by command. */
export type Clients = {
  find(id: string): Promise<RegisteredClient | undefined>;
  queues: QueuesOfClients;
  /**
   * Reports at start-up which registered clients have scopes or keys that they can't use; such clients in the configuration have already been
   * rejected.
   */
  check(logger: Logger): Component;
};

/** If two clients have the same id, the configured one takes precedence. */
export function clientDirectory(configured: readonly RegisteredClient[], stored: StoredClients): Clients {
  const byId = new Map(configured.map((client) => [client.client_id, client]));
  return {
    find: async (id) => byId.get(id) ?? (await stored.find(id)),
    async queues(limit) {
      const ofStored = await stored.listQueues({ except: [...byId.keys()], limit });
      const ofConfigured = configured.flatMap(({ queues = [] }) => queues);
      return [...new Set([...ofStored, ...ofConfigured])].sort().slice(0, limit);
    },
    check: (logger) => ({
      name: 'registered clients',
      async start() {
        // the service may start before its database is migrated
        const registered = await stored.list().catch(() => []);
        for (const client of registered) {
          for (const { path, message } of clientFaults(client)) {
            logger.error('a registered client has an unusable setting; change it with client change', {
              ...{ client: client.client_id, field: path.join('.'), fault: message },
            });
          }
        }
      },
      stop: async () => undefined,
    }),
  };
}

/** Lets users list and revoke all access to their account. */
export function wireAccess(db: Database, clients: Clients): AccessUseCases {
  const access = createOwnAccess(db);
  const clientName = async (id: string) => (await clients.find(id))?.client_name ?? id;
  return {
    listSessions: listSessions({ access }),
    endSession: endSession({ access }),
    listConsents: listConsents({ access, clientName }),
    endConsent: endConsent({ access }),
  };
}
