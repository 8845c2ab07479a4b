import type { World } from './world.ts';

/** A fault that makes alerts fire. */
export type Fault = {
  title: string;
  /** The alerts that it must fire. */
  alerts: readonly string[];
  /** Whether its alert is about a cause, and must then be the only page, whatever else the fault causes. */
  isCause?: true;
  /** Makes the fault, and resolves with the function that heals it. */
  begin(world: World): Promise<() => Promise<unknown>>;
  /** How long to wait for its alerts, in milliseconds. */
  patienceMs?: number;
};
