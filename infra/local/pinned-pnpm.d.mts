export function pinnedPnpm(
  folder: string,
  options?: { packageJson?: { packageManager: string }; machine?: string },
): Promise<string[]>;
