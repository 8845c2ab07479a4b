/**
 * Installs system packages: Debian's with apt, as root or with a sudo that needs no password; on macOS with Homebrew, under the names in `brewNames`.
 * Services that these packages install are not left running.
 * @throws an error that describes the manual steps if neither works.
 */
export function installSystemPackages(
  names: string[],
  say: (text: string) => void,
  brewNames?: Record<string, string>,
): Promise<void>;
