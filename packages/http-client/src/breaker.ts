import CircuitBreaker from 'opossum';

export type BreakerState = 'closed' | 'half_open' | 'open';

/** What a call says about the health of the service; `neutral` says nothing, for example because the caller gave up at once. */
export type Verdict = 'success' | 'failure' | 'neutral';

/** The right to make one call; its verdict must be reported once. */
export type Admission = { report(verdict: Verdict): void };

export type BreakerOptions = {
  name: string;
  /** The breaker does not open before this many calls in the window, however many failed. */
  volumeThreshold: number;
  /** It opens when more than this share of the calls in the window failed. */
  errorThresholdPercentage: number;
  /** How long it stays open before one call is let through as a trial, in milliseconds. It is the length of the window too. */
  resetAfterMs: number;
  onState(state: BreakerState): void;
};

export type Breaker = {
  /** Leave to make a call; `undefined` when it is refused. */
  admit(): Admission | undefined;
  /** When a call that would be refused now is worth another try, in milliseconds; 0 when it would be admitted. */
  refusesForMs(): number;
  readonly state: BreakerState;
  close(): void;
};

/** A trial takes about as long as a call. */
const trialMs = 1_000;

/**
 * opossum as a judge: it is told how calls went, instead of running them. Running them inside would bring in what opossum 10 does
 * (each was reproduced in the tests):
 * - without `volumeThreshold` the first failure opens it
 * - one abortController for all calls stays aborted for the calls after
 * - calls over `capacity` count as failures: see concurrency-limit.ts
 * - errors that `errorFilter` lets pass count as successes, and so close a half-open breaker: here a neutral verdict is not told
 * - calls refused while it is open count into the error rate's base: here they never reach it
 * - a call from before it opened that ends late closes (or opens) it in half-open: here it is known by its epoch
 * - failures of before are still in the window after it has closed, when the window is longer than the reset time: here they are equal
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const { name, resetAfterMs, onState } = options;
  const circuit = new CircuitBreaker<['success' | 'failure'], void>(judge, {
    name,
    timeout: false,
    volumeThreshold: options.volumeThreshold,
    errorThresholdPercentage: options.errorThresholdPercentage,
    resetTimeout: resetAfterMs,
    rollingCountTimeout: resetAfterMs,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
  });
  let epoch = 0;
  let openUntil = 0;
  let trial = false;

  function entered(state: BreakerState): void {
    epoch += 1;
    trial = false;
    if (state === 'open') openUntil = performance.now() + resetAfterMs;
    onState(state);
  }
  circuit.on('open', () => entered('open'));
  circuit.on('halfOpen', () => entered('half_open'));
  circuit.on('close', () => entered('closed'));

  function refusesForMs(): number {
    if (circuit.opened) return Math.max(1, Math.ceil(openUntil - performance.now()));
    return circuit.halfOpen && trial ? trialMs : 0;
  }

  function admission(): Admission {
    const admittedIn = epoch;
    return {
      report(verdict) {
        if (admittedIn !== epoch) return;
        if (verdict === 'neutral') trial = false;
        // a failure that was told comes back as a rejection; it is the caller's own news. The state follows within microtasks,
        // during which `trial` still keeps others out
        else circuit.fire(verdict).catch(() => undefined);
      },
    };
  }

  return {
    admit() {
      if (refusesForMs() > 0) return undefined;
      trial = circuit.halfOpen;
      return admission();
    },
    refusesForMs,
    get state() {
      if (circuit.opened) return 'open';
      return circuit.halfOpen ? 'half_open' : 'closed';
    },
    close: () => circuit.shutdown(),
  };
}

async function judge(verdict: 'success' | 'failure'): Promise<void> {
  if (verdict === 'failure') throw new Error('the call failed');
}
