import type { World } from './world.ts';

/** A fault that makes alerts fire. */
export type Fault = {
  title: string;
  /** The alerts that it is for. */
  alerts: readonly string[];
  /** Whether its alert is about a cause: then it is the only page, whatever follows from the fault. */
  isCause?: true;
  /** Makes the fault, and resolves with the function that heals it. A second fault may begin while this one lasts. */
  begin(world: World): Promise<() => Promise<unknown>>;
  /** Called once all alerts have fired except those that need something else first. */
  patienceMs?: number;
};
