/** The queue position of a hash: the order of waiting hashes depends on their callers. */
export type HashTurn = {
  /** Whether the account knows the caller's device or network, or the caller has authenticated: unknown callers don't delay known ones. */
  isKnown: boolean;
  /** The key for fair queueing: the account of known callers, the network of unknown ones. */
  source: string;
};

/** Hashes passwords and rates their strength, with bounded concurrency. @throws Problem `unavailable` if too many are waiting. */
export type Passwords = {
  /** Why a password is too easy to guess for this user, and how to improve it; undefined if it is strong enough. */
  weaknessOf(password: string, person: { email: string; name: string }): string | undefined;
  /** Waits for its turn itself, so it must not be called within `inTurn`. */
  hash(password: string, turn: HashTurn): Promise<string>;
  /** When it is the caller's turn, runs the work that leads to `verify`, including `verify` itself. */
  inTurn<T>(turn: HashTurn, work: () => Promise<T>): Promise<T>;
  /**
   * Whether the password matches the hash. Without a hash the result is false, after the same work, so that the time doesn't reveal whether an
   * account exists. `outdated`: the hash was made with parameters other than the current ones.
   */
  verify(password: string, hash: string | undefined): Promise<{ matches: boolean; outdated: boolean }>;
};
