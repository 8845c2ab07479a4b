/**
 * Installs system packages: Debian's with apt, as root or with a sudo that asks nothing; on macOS those of Homebrew, under the names
 * in `brewNames`. Services that come with them are not left running.
 * @throws with what to do by hand when neither works.
 */
export function installSystemPackages(
  names: string[],
  say: (text: string) => void,
  brewNames?: Record<string, string>,
): Promise<void>;
