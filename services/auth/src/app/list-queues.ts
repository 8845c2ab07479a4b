/** The queues of all clients, whether configured or registered by command: sorted by character codes, without duplicates, at most `limit`. */
export type QueuesOfClients = (limit: number) => Promise<string[]>;

/** Lists the queues for services. `more` is true if there are further ones. */
export function listQueues({ queuesOfClients, most }: { queuesOfClients: QueuesOfClients; most: number }) {
  return async (): Promise<{ data: string[]; more: boolean }> => {
    const found = await queuesOfClients(most + 1);
    return { data: found.slice(0, most), more: found.length > most };
  };
}
