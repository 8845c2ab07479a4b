import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MatchersV3, PactV3, PactV4 } from '@pact-foundation/pact';
import { z } from 'zod';
import { brokerFromEnvironment, brokerSelection, publishPacts } from './pact-broker.ts';

/** The folder of committed pacts. */
const pactsFolder = fileURLToPath(new URL('../../../contracts/pacts/', import.meta.url));

// otherwise the native library reports usage to an analytics service
process.env['PACT_DO_NOT_TRACK'] = 'true';

/**
 * Declares the tests of one service's expectations of another (mocha). They write `contracts/pacts/<consumer>-<provider>.json` once all of them have
 * passed; the same expectations produce the same file, byte for byte. A partial run (--grep) leaves the file unchanged. Pact keeps one native handle
 * per pair, so all expectations of a pair belong in one call.
 *
 * `formPact` is for requests whose body is a form, because the builders of PactV4 support only JSON, XML and binary bodies. It writes to the same
 * pact.
 */
export function describePact(
  consumer: string,
  provider: string,
  define: (pact: () => PactV4, formPact: () => PactV3) => void,
): void {
  describe(`${consumer}, as a consumer of ${provider}`, () => {
    let folder = '';
    let pact: PactV4 | undefined;
    let formPact: PactV3 | undefined;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'taskwire-pact-'));
      const { PactV3, PactV4, SpecificationVersion } = await import('@pact-foundation/pact');
      const options = { consumer, provider, dir: folder, logLevel: 'error' } as const;
      pact = new PactV4(options);
      formPact = new PactV3({ ...options, spec: SpecificationVersion.SPECIFICATION_VERSION_V4 });
    });

    after(function () {
      const written = join(folder, `${consumer}-${provider}.json`);
      const tests = this.test?.parent === undefined ? [] : testsOf(this.test.parent);
      if (existsSync(written) && tests.every((test) => test.state === 'passed')) {
        mkdirSync(pactsFolder, { recursive: true });
        writeFileSync(join(pactsFolder, `${consumer}-${provider}.json`), normalized(readFileSync(written, 'utf8')));
      }
      rmSync(folder, { recursive: true });
    });

    define(
      () => present(pact),
      () => present(formPact),
    );
  });
}

/** PactV4's response builder, whose type its package does not export. */
type ResponseBuilder = {
  headers(headers: Record<string, string | ReturnType<typeof MatchersV3.regex>>): ResponseBuilder;
  jsonBody(body: unknown): ResponseBuilder;
};

/** Responds with a problem document that has at least these members. Without one, a 404 or 410 is no evidence about a resource. */
export function exampleProblem(
  is: Pick<typeof MatchersV3, 'regex'>,
  response: ResponseBuilder,
  body: { code: string; detail?: unknown },
): void {
  // spelled like this, because otherwise the mock server would also send the content type of plain JSON
  const type = { 'Content-Type': is.regex('^application/problem[+]json(;.*)?$', 'application/problem+json') };
  response.headers(type).jsonBody(body);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a pact exists only in tests and hooks');
  return value;
}

function testsOf(suite: Mocha.Suite): Mocha.Test[] {
  return [...suite.tests, ...suite.suites.flatMap(testsOf)];
}

type PactFile = { interactions: { description: string; type: string }[]; metadata: Record<string, unknown> };

/** Returns the pact with its interactions sorted, and without the versions of the tools that wrote it. */
function normalized(text: string): string {
  const pact = JSON.parse(text) as PactFile;
  const { pactSpecification } = pact.metadata;
  const interactions = pact.interactions.toSorted((a, b) => compare(sortKey(a), sortKey(b)));
  return `${JSON.stringify(sorted({ ...pact, interactions, metadata: { pactSpecification } }), null, 2)}\n`;
}

function sortKey({ type, description, ...rest }: { type: string; description: string }): string {
  return [type, description, JSON.stringify(sorted(rest))].join('\n');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => compare(a, b));
  return Object.fromEntries(entries.map(([name, entry]) => [name, sorted(entry)]));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A message as published by a provider: the parsed payload, with AMQP properties and headers as text. */
export type ProvidedMessage = { payload: unknown; metadata: Record<string, string> };

const formType = 'application/x-www-form-urlencoded';

type Json = Record<string, string | number | boolean | null>;

export type Verification = {
  provider: string;
  /** The base URL of the real provider. */
  baseUrl: string;
  /** Handlers that bring the provider into a state; their results replace the consumers' `fromProviderState` expressions. */
  states: Readonly<Record<string, (parameters: unknown) => Promise<Json | undefined>>>;
  /** Handlers by the description of the interaction: make the provider publish, and return the message that arrived. */
  messages: Readonly<Record<string, () => Promise<ProvidedMessage>>>;
  /** The access token that replaces `exampleToken` in requests. */
  token: () => Promise<string>;
  /** The access tokens of users that replace `exampleUserToken(role)`: for pacts of front ends about the public API. */
  userTokens?: Readonly<Partial<Record<Role, () => Promise<string>>>>;
  /** Pact files to use instead of those of `contracts/pacts` or the broker. */
  pactUrls?: string[];
};

/** The access token that consumers send in their tests. */
export const exampleToken = 'a-token-of-this-service';

/** The role of a user in a consumer's test. */
type Role = 'admin' | 'manager' | 'member';

/** The access token that consumers send on behalf of a user with this role. */
export function exampleUserToken(role: Role): string {
  return `a-token-of-a-user-with-role-${role}`;
}

/**
 * Verifies a running provider against all its pacts: those in `contracts/pacts` or, if PACT_BROKER_BASE_URL is set, the broker's pacts for this
 * branch and for deployed versions, and in that case publishes the results to the broker. Pact itself only warns about a state without a handler, and
 * responds to a failed handler with 200; here, both make the verification fail.
 * @throws with every difference.
 */
export async function verifyPacts(verification: Verification): Promise<void> {
  const { provider, baseUrl, states, messages, token } = verification;
  const { Verifier } = await import('@pact-foundation/pact');
  const faults: string[] = [];
  const tokens = new Map([[exampleToken, await token()]]);
  for (const [role, userToken] of Object.entries(verification.userTokens ?? {})) {
    tokens.set(exampleUserToken(role as Role), await userToken());
  }

  /** Runs a handler of the provider's test by name; a failed or missing handler counts as a fault, however Pact treats it. */
  async function run<T>(what: string, handler: (() => Promise<T>) | undefined): Promise<T> {
    try {
      if (handler === undefined) throw new Error("the provider's test has no handler for it");
      return await handler();
    } catch (error) {
      faults.push(`${what}: ${String(error)}`);
      throw error;
    }
  }
  const stateHandlers = handlersByName(states, (state, handler) => async (parameters: unknown) => {
    return (await run(`state "${state}"`, handler && (() => handler(parameters)))) ?? {};
  });
  const messageProviders = handlersByName(messages, (description, provide) => async () => {
    const { payload, metadata } = await run(`message "${description}"`, provide);
    return { __pactMessageMetadata: metadata, message: payload };
  });

  const verifier = new Verifier({
    provider,
    providerBaseUrl: baseUrl,
    stateHandlers,
    messageProviders,
    requestFilter: (request, _response, next) => {
      const { headers } = request;
      const real = tokens.get(/^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1] ?? '');
      if (real !== undefined) headers.authorization = `Bearer ${real}`;
      // Pact's proxy parses forms, and would forward them as JSON
      if (request.is(formType) !== false) request.body = Buffer.from(new URLSearchParams(request.body).toString());
      next();
    },
    logLevel: 'error',
    failIfNoPactsFound: true,
    ...(verification.pactUrls === undefined ? await pactsOf(provider) : { pactUrls: verification.pactUrls }),
  });
  try {
    await verifier.verifyProvider();
  } catch (error) {
    faults.push(...differences(error));
  }
  if (faults.length > 0) throw new Error(`${provider} breaks its pacts:\n  ${faults.join('\n  ')}`);
}

/** The rejection of Pact's verifier: a JSON text with all mismatches, or a plain message. */
const failedVerification = z.object({
  errors: z.array(
    z.object({
      interaction: z.string(),
      mismatch: z.object({ mismatches: z.array(z.object({ mismatch: z.string() })).default([]) }).loose(),
    }),
  ),
});

function differences(error: unknown): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const parsed = failedVerification.safeParse(message.startsWith('{') ? JSON.parse(message) : undefined);
  if (!parsed.success) return [message];
  return parsed.data.errors.map(
    ({ interaction, mismatch }) =>
      `${interaction}: ${mismatch.mismatches.map((each) => each.mismatch).join('; ') || JSON.stringify(mismatch)}`,
  );
}

/** Returns a table that has an entry for every name, even if the given table has none. */
function handlersByName<H, R>(
  given: Readonly<Record<string, H>>,
  entry: (name: string, handler: H | undefined) => R,
): Record<string, R> {
  return new Proxy<Record<string, R>>(
    {},
    {
      get(_target, name) {
        // an interaction without a state requests a state with an empty name; logging the options also reads `toJSON`
        if (typeof name === 'symbol' || name === '' || name === 'toJSON') return undefined;
        return entry(name, Object.hasOwn(given, name) ? given[name] : undefined);
      },
    },
  );
}

async function pactsOf(provider: string) {
  const broker = brokerFromEnvironment();
  if (broker !== undefined) {
    await publishPacts(broker, pactsFolder);
    return brokerSelection(broker);
  }
  const pactUrls = globSync(`*-${provider}.json`, { cwd: pactsFolder }).map((file) => join(pactsFolder, file));
  if (pactUrls.length === 0) throw new Error(`contracts/pacts contains no pact with ${provider} as the provider`);
  return { pactUrls: pactUrls.sort() };
}
