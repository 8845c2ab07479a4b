import { pause } from '../abort.ts';
import { SignedOutError } from '../errors.ts';
import { exclusively } from './exclusively.ts';
import { isFinal } from './exchange.ts';
import { Age, type Tokens, type TokenStore } from './tokens.ts';

export type KeeperOptions = {
  store: TokenStore;
  /** Obtains new tokens. Rejects with a final refusal once the session has ended. */
  renew: (tokens: Tokens | undefined) => Promise<Tokens>;
  /** The name of the lock that tabs share while one of them renews; undefined if they share no store. */
  lock?: string | undefined;
  onSignedOut?: (() => void) | undefined;
};

/** The longest wait of a call for a renewal while it has a valid token: an issuer that hangs must not delay calls for minutes. */
const patienceMs = 1_000;

/** Holds the tokens of a session, and renews them before they expire: one renewal at a time, in all tabs that share the store. */
export class TokenKeeper {
  readonly #options: KeeperOptions;
  #held: { tokens: Tokens; age: Age } | undefined;
  #renewal: Promise<Tokens> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  async accept(tokens: Tokens): Promise<void> {
    this.#hold(tokens);
    await this.#options.store.save(tokens);
  }

  /** Forgets the tokens without notifying the application. */
  async forget(): Promise<void> {
    this.#held = undefined;
    await this.#options.store.clear();
  }

  async current(): Promise<Tokens | undefined> {
    const stored = this.#held?.tokens ?? (await this.#options.store.load());
    if (stored !== undefined) this.#hold(stored);
    return stored;
  }

  async accessToken(rejected?: string): Promise<string> {
    const tokens = await this.current();
    const isFresh = tokens !== undefined && tokens.accessToken !== rejected && this.#held?.age.isRenewalDue === false;
    if (isFresh) return tokens.accessToken;
    const control = new AbortController();
    try {
      this.#renewal ??= this.#renew(rejected).finally(() => (this.#renewal = undefined));
      const patience = this.#usable(rejected) === undefined ? [] : [pause(patienceMs, control.signal)];
      const renewed = await Promise.race([this.#renewal, ...patience]);
      return (renewed ?? this.#usable(rejected) ?? (await this.#renewal)).accessToken;
    } catch (error) {
      const usable = this.#usable(rejected);
      if (usable === undefined || error instanceof SignedOutError) throw error;
      return usable.accessToken;
    } finally {
      control.abort();
    }
  }

  /** A token that is still valid is used until the issuer is available again. */
  #usable(rejected: string | undefined): Tokens | undefined {
    if (this.#held === undefined || this.#held.age.isExpired) return undefined;
    return this.#held.tokens.accessToken === rejected ? undefined : this.#held.tokens;
  }

  #renew(rejected: string | undefined): Promise<Tokens> {
    const { store, renew, lock, onSignedOut } = this.#options;
    return exclusively(lock, async () => {
      // another tab may have renewed during the wait for the lock
      const stored = await store.load();
      if (
        stored !== undefined &&
        stored.accessToken !== this.#held?.tokens.accessToken &&
        stored.accessToken !== rejected
      ) {
        this.#hold(stored);
        if (this.#held?.age.isRenewalDue === false) return stored;
      }
      try {
        const renewed = await renew(stored ?? this.#held?.tokens);
        await this.accept(renewed);
        return renewed;
      } catch (error) {
        if (!isFinal(error)) throw error;
        await this.forget();
        onSignedOut?.();
        throw new SignedOutError('The session has ended; log in again.', { cause: error });
      }
    });
  }

  #hold(tokens: Tokens): void {
    if (this.#held?.tokens.accessToken !== tokens.accessToken) this.#held = { tokens, age: new Age(tokens) };
  }
}
