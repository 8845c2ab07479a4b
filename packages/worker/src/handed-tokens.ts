import type { Authorization } from '@taskwire/client';

/** Tokens that another thread sends. */
export class HandedTokens implements Authorization {
  readonly #reject: () => void;
  readonly #waiting: ((token: string) => void)[] = [];
  #token: string | undefined;

  /** `reject` asks the other thread for another token. */
  constructor(reject: () => void) {
    this.#reject = reject;
  }

  receive(token: string): void {
    this.#token = token;
    for (const resolve of this.#waiting.splice(0)) resolve(token);
  }

  async accessToken(rejected?: string): Promise<string> {
    if (this.#token !== undefined && this.#token !== rejected) return this.#token;
    if (this.#token !== undefined) this.#reject();
    this.#token = undefined;
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }
}
