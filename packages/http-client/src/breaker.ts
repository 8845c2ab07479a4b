import CircuitBreaker from 'opossum';

export type BreakerState = 'closed' | 'half_open' | 'open';

/** A call's evidence about the health of the service. `neutral`: the call is no evidence, for example because the caller cancelled immediately. */
export type Verdict = 'success' | 'failure' | 'neutral';

/** Permission to make one call; its verdict must be reported once. */
export type Admission = { report(verdict: Verdict): void };

export type BreakerOptions = {
  name: string;
  /** The minimum number of calls in the window before the breaker opens, however many failed. */
  volumeThreshold: number;
  /** The breaker opens when more than this share of the calls in the window failed. */
  errorThresholdPercentage: number;
  /** How long the breaker stays open before one trial call is admitted, in milliseconds. Also the length of the window. */
  resetAfterMs: number;
  onState(state: BreakerState): void;
};

export type Breaker = {
  /** Returns permission to make a call; `undefined` if the call is refused. */
  admit(): Admission | undefined;
  /** The time in milliseconds until a retry makes sense, if a call would be refused now; 0 if it would be admitted. */
  refusesForMs(): number;
  readonly state: BreakerState;
  close(): void;
};

/** A trial takes about as long as a call. */
const trialMs = 1_000;

/**
 * opossum is used only to keep the window of results and to decide when to open; do not extend its role. Calls run outside, and their results are
 * reported to it. Running calls inside would bring in opossum 10's own behaviour (each point was reproduced in the tests):
 * - without `volumeThreshold` the first failure opens the breaker
 * - one abortController for all calls stays aborted for later calls
 * - calls over `capacity` count as failures: see concurrency-limit.ts
 * - errors that `errorFilter` accepts count as successes, and so close a half-open breaker: here neutral verdicts are not reported
 * - calls refused while the breaker is open count into the error rate's base: here they never reach it
 * - a call that began before the breaker opened and ends late closes (or opens) a half-open breaker: here such a call is recognized by its epoch
 * - earlier failures are still in the window after the breaker has closed, if the window is longer than the reset time: here both are equal
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
        // a reported failure rejects this promise; the call's caller already has the result. The state changes within microtasks, during which
        // `trial` keeps refusing other calls
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
