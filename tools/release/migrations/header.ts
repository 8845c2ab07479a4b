/** The header of a migration, which may be incomplete. The runner (packages/postgres) validates its values; this check must detect missing ones. */
export type Header = { minVersion: string | undefined; mode: string; contract: string | undefined };

/** Reads the comment lines at the top of a file. */
export function readHeader(text: string): Header {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const head = end === -1 ? lines : lines.slice(0, end);
  const value = (key: string) =>
    head.flatMap((line) => (line.startsWith(`-- ${key}:`) ? [line.slice(key.length + 4).trim()] : []))[0];
  return { minVersion: value('min_version'), mode: value('mode') ?? 'transaction', contract: value('contract') };
}
