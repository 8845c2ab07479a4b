import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, statSync } from 'node:fs';

/**
 * The account for running PostgreSQL's programs. PostgreSQL refuses to run as root, so root starts it under another account: the owner of the existing data
 * folder, else `postgres`, else `nobody`. No account is created on the machine.
 */
export type Account = {
  /** The account to start them with. */
  user?: { uid: number; gid: number };
  /** Prepended to the command line. */
  prefix: string[];
};

export function postgresAccount(dir: string, dataDir: string, programs: string[]): Account {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const account = ownerOf(dataDir) ?? accountNamed('postgres') ?? accountNamed('nobody');
  if (!account)
    throw new Error('PostgreSQL does not run as root, and neither a user postgres nor a user nobody exists to run it.');
  // a data folder that root has copied belongs to root
  if (existsSync(dataDir)) execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, dataDir]);
  chownSync(dir, account.uid, account.gid);
  if (canReach(account, [dir, ...programs])) return { user: account, prefix: [] };
  // The account has no access to the folder: `.local` is accessible only to its owner, and the clone may be under /root. On Linux the capability to
  // traverse folders is granted to the account, instead of moving programs and data to another place.
  for (const capability of traversalCapabilities) {
    const prefix = setprivCommand(account, capability);
    if (spawnSync(prefix[0], [...prefix.slice(1), 'test', '-w', dir]).status === 0) return { prefix };
  }
  throw new Error(
    `PostgreSQL does not run as root, and the user with id ${account.uid} cannot reach ${dir}. Run as a normal user, or install setpriv (util-linux).`,
  );
}

/**
 * Capabilities that let an account traverse the folders of other users, starting with the weakest: the first allows only searching and reading, and
 * is missing in Docker containers; the second also allows writing.
 */
const traversalCapabilities = ['dac_read_search', 'dac_override'];

function setprivCommand({ uid, gid }: { uid: number; gid: number }, capability: string): [string, ...string[]] {
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
    // otherwise access(2), with which PostgreSQL checks its own programs, ignores capabilities
    '--securebits=+no_setuid_fixup',
  ];
}

function ownerOf(dataDir: string): { uid: number; gid: number } | undefined {
  if (!existsSync(dataDir)) return undefined;
  const { uid, gid } = statSync(dataDir);
  return uid === 0 ? undefined : { uid, gid };
}

function accountNamed(name: string): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

function canReach(account: { uid: number; gid: number }, paths: string[]): boolean {
  return paths.every((path) => spawnSync('test', ['-x', path], { ...account, cwd: '/' }).status === 0);
}
