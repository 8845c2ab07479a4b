export function pinnedPnpm(
  folder: string,
  options?: { packageJson?: { packageManager: string }; machine?: string },
): Promise<string[]>;

export function pinnedProgram(
  folder: string,
  pinned: { name: string; version: string; sha512: string; file: string },
): Promise<string>;

export function thisMachine(): string;
