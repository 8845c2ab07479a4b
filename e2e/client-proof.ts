import type * as Client from '@taskwire/client';

// Runs in every runtime of the client, so it imports nothing at run time; its types are stripped.

/** The state of a caller's tasks, as the responses have shown it. */
export type Known = { id: string; title: string; version: number; isDeleted: boolean };

type Account = { email: string; password: string };

export type FaultsOptions = {
  /** The workers share these users: together they create more tasks than Tasks allows one user to create. */
  accounts: readonly Account[];
  /** A proxy that loses responses. */
  url: string;
  /** The prefix of the titles of this run's tasks. */
  prefix: string;
  calls: number;
  /** The number of workers. Each makes one call at a time, and may use two retries at once, so this fits the client's budget of retries. */
  workers: number;
  seed: number;
};

/** Creates, changes, deletes and reads tasks at random. Returns what their state must be now, and each error, none of which is expected. */
export async function callThroughFaults(
  { Taskwire, passwordSession }: typeof Client,
  { url, accounts, prefix, calls, workers, seed }: FaultsOptions,
): Promise<{ known: Known[]; errors: string[] }> {
  const random = generator(seed);
  const clients = await Promise.all(
    accounts.map(async ({ email, password }) => {
      const auth = passwordSession();
      const tw = new Taskwire({ baseUrl: url, auth });
      await auth.login(email, password);
      return tw;
    }),
  );
  const known: Known[] = [];
  const errors: string[] = [];
  let made = 0;

  async function call(tw: Client.Taskwire, own: Known[], number: number): Promise<void> {
    const open = own.filter(({ isDeleted }) => !isDeleted);
    const task = open[Math.floor(random() * open.length)];
    const choice = random();
    if (task === undefined || choice < 0.3) {
      const { id, title, version } = await tw.tasks.create({ title: `${prefix}${number}`, labels: ['a'] });
      const added = { id, title, version, isDeleted: false };
      own.push(added);
      known.push(added);
    } else if (choice < 0.65) {
      const change = { title: `${prefix}${number} `, priority: choice < 0.5 ? ('high' as const) : ('low' as const) };
      const { title, version } = await tw.tasks.change(task.id, change, { ifMatch: task.version });
      if (title !== change.title.trim()) errors.push(`the title of ${task.id} is ${title}`);
      Object.assign(task, { title, version });
    } else if (choice < 0.8) {
      await tw.tasks.delete(task.id, { ifMatch: task.version });
      task.isDeleted = true;
      // the deletion is a version too
      task.version += 1;
    } else {
      const { title, version } = await tw.tasks.get(task.id);
      if (title !== task.title || version !== task.version) errors.push(`${task.id} was read as ${title}, ${version}`);
    }
  }

  async function work(tw: Client.Taskwire): Promise<void> {
    const own: Known[] = [];
    while (made < calls) {
      const number = (made += 1);
      await call(tw, own, number).catch((error: unknown) => errors.push(String(error)));
    }
  }

  const all = Array.from({ length: Math.ceil(workers / clients.length) }, () => clients).flat();
  await Promise.all(all.slice(0, workers).map(work));
  return { known: known.toSorted((a, b) => (a.id < b.id ? -1 : 1)), errors };
}

/** Numbers between 0 and 1 that a seed determines (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Uses the parts of the client that depend on the runtime: bodies, timers, aborts, random numbers, hashes. Returns what must be `expectedFeatures`. */
export async function useFeatures(
  { Taskwire, passwordSession, isProblem, oidc, ProblemError }: typeof Client,
  { url, stalledUrl, email, password, prefix }: Account & { url: string; stalledUrl: string; prefix: string },
): Promise<object> {
  const auth = passwordSession();
  const tw = new Taskwire({ baseUrl: url, auth });
  const { role } = await auth.login(email, password);
  const idempotencyKey = `${prefix}key`.replaceAll(' ', '');
  const body = { title: `${prefix}features` };
  const first = await tw.tasks.create(body, { idempotencyKey }).withResponse();
  const second = await tw.tasks.create(body, { idempotencyKey }).withResponse();
  await tw.tasks.transition(first.value.id, { state: 'cancelled' });
  const refusal = await failureOf(tw.tasks.transition(first.value.id, { state: 'cancelled' }));

  let items = 0;
  for await (const task of tw.tasks.list({ limit: 2 })) {
    if (task.id.length === 36) items += 1;
    if (items === 3) break;
  }

  // a server that sends the beginning of a body
  const stalled = new Taskwire({ baseUrl: stalledUrl, maxRetries: 0 });
  const late = await failureOf(stalled.tasks.get('x', { timeoutMs: 200 }));
  // the fastest of three, since the machine may be busy
  let aborted: unknown;
  let endedMs = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const control = new AbortController();
    let abortedAt = 0;
    setTimeout(() => {
      abortedAt = performance.now();
      control.abort(new Error('the user left'));
    }, 100);
    aborted = await failureOf(stalled.tasks.get('x', { signal: control.signal }));
    endedMs = Math.min(endedMs, performance.now() - abortedAt);
  }

  let visited = '';
  const browser = {
    location: { href: 'https://app.example.org/', assign: (address: string) => void (visited = address) },
    history: { replaceState: () => undefined },
    sessionStorage: { getItem: () => null, setItem: () => undefined, removeItem: () => undefined },
  };
  const page = oidc({ clientId: 'x', redirectUri: 'https://app.example.org/callback', scope: 'openid', browser });
  new Taskwire({ baseUrl: url, auth: page });
  await page.signIn();

  await tw.tasks.delete(first.value.id, { ifMatch: '*' });
  await auth.logout();
  const signedOut = await failureOf(tw.tasks.list());
  return {
    role,
    replayed: [first.replayed, second.replayed, first.value.id === second.value.id],
    refusal: isProblem(refusal, 'transitionTask', 'illegal_transition') && refusal instanceof ProblemError,
    items,
    late: nameOf(late),
    aborted: aborted instanceof Error && aborted.message,
    endedInTime: endedMs < 50,
    challenge: new URL(visited).searchParams.get('code_challenge')?.length,
    signedOut: nameOf(signedOut),
  };
}

export const expectedFeatures = {
  role: 'manager',
  replayed: [false, true, true],
  refusal: true,
  items: 3,
  late: 'TimeoutError',
  aborted: 'the user left',
  endedInTime: true,
  challenge: 43,
  signedOut: 'SignedOutError',
};

async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  return undefined;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}
