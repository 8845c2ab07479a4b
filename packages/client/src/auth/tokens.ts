/** The token response of an issuer (RFC 6749 section 5.1). */
export type TokenAnswer = { access_token: string; expires_in: number; refresh_token?: string };

/** Tokens with the time at which they were received, by the wall clock, which tabs and reloads share. */
export type Tokens = { accessToken: string; refreshToken?: string; expiresInMs: number; receivedAt: number };

/** Keeps the tokens of a session between reloads, for example in localStorage. Scripts of the page can read them there. */
export type TokenStore = {
  load(): Tokens | undefined | Promise<Tokens | undefined>;
  save(tokens: Tokens): void | Promise<void>;
  clear(): void | Promise<void>;
};

/** The fraction of their lifetime after which tokens are renewed, so that none expires in transit. */
const renewalAt = 0.8;

export function tokensOf({ access_token, expires_in, refresh_token }: TokenAnswer): Tokens {
  return {
    accessToken: access_token,
    expiresInMs: expires_in * 1000,
    receivedAt: Date.now(),
    ...(refresh_token === undefined ? {} : { refreshToken: refresh_token }),
  };
}

/** The age of tokens by the wall clock or the monotonic clock, whichever is greater, so that setting the wall clock back hides no expiry. */
export class Age {
  readonly #receivedAtMs = performance.now();
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  get isRenewalDue(): boolean {
    return this.#ms >= this.#tokens.expiresInMs * renewalAt;
  }

  get isExpired(): boolean {
    return this.#ms >= this.#tokens.expiresInMs;
  }

  get #ms(): number {
    return Math.max(performance.now() - this.#receivedAtMs, Date.now() - this.#tokens.receivedAt);
  }
}

/** Keeps tokens in memory: they are lost with the page or process. */
export function memoryStore(): TokenStore {
  let kept: Tokens | undefined;
  return {
    load: () => kept,
    save(tokens) {
      kept = tokens;
    },
    clear() {
      kept = undefined;
    },
  };
}
