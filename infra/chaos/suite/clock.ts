import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '../../local/secrets.ts';

/** The file in which a service finds how far its wall clock is off; see preload/clock.ts. */
export function clockFile(dir: string, service: ServiceName): string {
  return join(dir, `clock-of-${service}`);
}

/** The service notices within a quarter of a second, and at its next start. */
export function setClock(file: string, offsetMs: number): void {
  // never half a number
  writeFileSync(`${file}.new`, String(offsetMs));
  renameSync(`${file}.new`, file);
}
