import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobAct, LeaseEnding } from '../../job-evidence.ts';
import type { Random } from '../../random.ts';
import { itemsOf, type ClaimedJob, type ExtendedLease, type SettledLease } from './answers.ts';
import { returnMs, sharedMs } from './names.ts';
import type { SilentJobs } from './worker.ts';

/** The share of responses that are lost: the worker has to repeat the request, and gets the same response. */
const lostShare = 0.02;
/** Longer than the gateway waits for a service. */
const timeoutMs = 40_000;

export type WorkerLinkOptions = {
  /** The address of the gateway. */
  url: string;
  /** The address of the worker, which limits of the gateway apply to. */
  ip: string;
  worker: string;
  random: Random;
  record(act: JobAct): void;
  /** Called with jobs that died. */
  onDead(jobId: string): void;
  /** Shared with the other workers. */
  silent: SilentJobs;
  /** Aborted when no job is left. */
  stopping: AbortSignal;
};

/**
 * A worker process's connection to the gateway. It records what the worker asks and is answered, which a process that is killed could not do itself, and
 * can be cut, lose responses, and hold settlements back.
 */
export type WorkerLink = {
  /** The address that the worker process uses as that of the gateway. */
  url: string;
  /** While the link is cut, no request arrives and no response returns. */
  setCut(isCut: boolean): void;
  /**
   * Holds settlements back until their jobs are leased again, or their leases have surely ended: they arrive late, as from a slow network. The function
   * that is returned lets later settlements pass.
   */
  holdSettlements(): () => void;
  /** The number of leases that the worker has, and of its settlements that are held back. */
  counts(): { leases: number; held: number };
  /** Forgets the leases of a process that was killed. */
  forget(): void;
  close(): Promise<void>;
};

type Reply = { status: number; headers: Headers; text: string };
type Lease = { jobId: string; fence: number };
type Item = { lease_token: string; complete?: object; fail?: object };

export async function startWorkerLink(o: WorkerLinkOptions): Promise<WorkerLink> {
  const { record, silent, stopping } = o;
  /** Every lease that a response gave to the worker, by its token. */
  const leases = new Map<string, Lease>();
  const open = new Set<string>();
  const pending = new Set<Promise<void>>();
  let [isCut, isHolding, held] = [false, false, 0];

  async function relay(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(incoming);
    const operation = /^\/api\/v1\/jobs\/(claim|heartbeat|settle)$/.exec(incoming.url ?? '')?.[1];
    const settled = operation === 'settle' ? (JSON.parse(text) as { items: Item[] }).items : [];
    if (isCut) return void response.destroy();
    if (isHolding && settled.length > 0) await hold(settled);
    const sentAt = new Date().toISOString();
    const closed = new AbortController();
    // a claim is taken off if its worker is gone; anything else that was sent is carried out
    if (operation === 'claim') response.on('close', () => closed.abort());
    const reply = await send(incoming, text, AbortSignal.any([closed.signal, AbortSignal.timeout(timeoutMs)]));
    const body = reply?.status === 200 ? (JSON.parse(reply.text) as Record<string, unknown>) : {};
    if (operation === 'claim') recordClaim(sentAt, itemsOf(body));
    if (operation === 'heartbeat') recordHeartbeat(itemsOf(body));
    recordSettlements(sentAt, settled, itemsOf(body));
    const isLost = operation !== undefined && o.random.chance(lostShare);
    if (reply === undefined || isCut || isLost) return void response.destroy();
    response.writeHead(reply.status, answered(reply.headers)).end(reply.text);
  }

  async function send({ method, url, headers }: IncomingMessage, text: string, signal: AbortSignal) {
    const { host: _host, connection: _connection, 'content-length': _length, ...kept } = headers;
    try {
      const response = await fetch(`${o.url}${url}`, {
        ...(method === undefined ? {} : { method }),
        headers: { ...(kept as Record<string, string>), 'x-forwarded-for': o.ip },
        ...(text !== '' && { body: text }),
        signal,
      });
      return { status: response.status, headers: response.headers, text: await response.text() } satisfies Reply;
    } catch {
      return undefined;
    }
  }

  async function hold(items: readonly Item[]): Promise<void> {
    held += 1;
    const leasedAgain = new AbortController();
    const jobIds = items.flatMap(({ lease_token: token }) => leases.get(token)?.jobId ?? []);
    for (const jobId of jobIds) silent.set(jobId, leasedAgain);
    const signal = AbortSignal.any([stopping, leasedAgain.signal]);
    await delay(returnMs.max, undefined, { signal }).catch(() => undefined);
    if (leasedAgain.signal.aborted) await delay(o.random.between(50, sharedMs));
    for (const jobId of jobIds) if (silent.get(jobId) === leasedAgain) silent.delete(jobId);
    held -= 1;
  }

  function recordClaim(at: string, jobs: readonly ClaimedJob[]): void {
    for (const { id: jobId, fence, lease_token: token, lease_expires_at: expiresAt, payload } of jobs) {
      leases.set(token, { jobId, fence });
      open.add(token);
      silent.get(jobId)?.abort();
      record({ kind: 'lease', at, worker: o.worker, jobId, fence, name: payload.name, expiresAt });
    }
  }

  function recordHeartbeat(extended: readonly ExtendedLease[]): void {
    const at = new Date().toISOString();
    for (const { lease_token: token, lease_expires_at: expiresAt = null } of extended) {
      const lease = leases.get(token);
      if (lease !== undefined) record({ kind: 'heartbeat', at, fence: lease.fence, expiresAt });
      if (expiresAt === null) open.delete(token);
    }
  }

  function recordSettlements(sentAt: string, items: readonly Item[], answers: readonly SettledLease[]): void {
    for (const item of items) {
      const lease = leases.get(item.lease_token);
      // the lease of a claim whose response was lost on its way here
      if (lease === undefined) continue;
      const answer = answers.find(({ lease_token: token }) => token === item.lease_token);
      const outcome = answer === undefined ? 'unknown' : answer.state === undefined ? 'lease_lost' : 'settled';
      const state = answer?.state ?? null;
      record({ kind: 'settle', sentAt, ...lease, ending: endingOf(item), outcome, state });
      if (answer !== undefined) open.delete(item.lease_token);
      if (state === 'dead') o.onDead(lease.jobId);
    }
  }

  const server = createServer((incoming, response) => {
    const relayed: Promise<void> = relay(incoming, response)
      .catch(() => void response.destroy())
      .finally(() => pending.delete(relayed));
    pending.add(relayed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setCut: (value) => void (isCut = value),
    holdSettlements() {
      isHolding = true;
      return () => void (isHolding = false);
    },
    counts: () => ({ leases: open.size, held }),
    forget: () => open.clear(),
    async close() {
      await Promise.all(pending);
      server.close();
      server.closeAllConnections();
    },
  };
}

function endingOf({ complete, fail }: Item): LeaseEnding {
  if (complete !== undefined) return 'completed';
  return fail === undefined ? 'released' : 'failed';
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** The headers that a client reads; the others describe a connection or an encoding that ends here. */
function answered(headers: Headers): Record<string, string> {
  const names = ['content-type', 'retry-after', 'www-authenticate'];
  return Object.fromEntries(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? '']] : [])));
}
