import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '../../../infra/local/secrets.ts';

/** The file from which a service reads the offset of its wall clock; see preload/clock.ts. */
export function clockFile(dir: string, service: ServiceName): string {
  return join(dir, `clock-of-${service}`);
}

/** Sets the offset. The service reads the offset within a quarter of a second, and again at its next start. */
export function setClock(file: string, offsetMs: number): void {
  // written to another file and renamed, so that a reader never gets an incomplete number
  writeFileSync(`${file}.new`, String(offsetMs));
  renameSync(`${file}.new`, file);
}
