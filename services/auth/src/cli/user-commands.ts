import { text } from 'node:stream/consumers';
import { schemas } from '@taskwire/contracts';
import { Problem } from '@taskwire/errors';
import { z } from 'zod';
import { CommandFailed, readOptions, UsageError, type Command } from './command.ts';
import type { Commands } from './wire.ts';

const newUser = z.object({
  email: schemas.email,
  name: schemas.personName,
  role: schemas.role,
  password: schemas.newPassword,
});

const option = { type: 'string' } as const;

export const addUser: Command = {
  options: '--email <address> --name <name> --role <admin|manager|member>',
  does: `creates a user, such as the first admin. An existing user is left unchanged.
The password is read from stdin, as one line:
printf %s "$PASSWORD" | node services/auth/src/cli/main.ts user add --email ann@example.org --name Ann --role admin`,
  async read(args, { stdin }) {
    const given = readOptions(args, { email: option, name: option, role: option });
    // the newline that a terminal or echo appends is not part of the password
    const password = (await text(stdin)).replace(/\r?\n$/, '');
    const result = newUser.safeParse({ ...given, password });
    if (!result.success) {
      const faults = result.error.issues.map(({ path, message }) => fault(String(path[0]), message, given));
      throw new UsageError(`The user can't be created:\n${faults.join('\n')}`);
    }
    return async (commands) => await add(result.data, commands);
  },
};

/** The input is read into memory. No team has more users than this. */
const maxImportedUsers = 10_000;

export const importUsers: Command = {
  options: '',
  does: `creates the users on stdin, one JSON object per line; existing users are left unchanged.
If a line is invalid, no user is created:
echo '{"email":"ann@example.org","name":"Ann","role":"member","password":"…"}' | node services/auth/src/cli/main.ts user import`,
  async read(args, { stdin }) {
    readOptions(args, {});
    const lines = (await text(stdin)).split('\n').filter((line) => line.trim() !== '');
    if (lines.length === 0) throw new UsageError('stdin is empty; give one JSON object per line.');
    if (lines.length > maxImportedUsers)
      throw new UsageError(`There are more than ${maxImportedUsers} lines on stdin.`);
    const read = lines.map(readLine);
    const faults = read.flatMap((line) => ('faults' in line ? line.faults : []));
    if (faults.length > 0) throw new UsageError(`No user was created:\n${faults.slice(0, 20).join('\n')}`);
    const users = read.flatMap((line) => ('user' in line ? [line.user] : []));
    return async (commands) => {
      const done: string[] = [];
      for (const user of users) done.push(await add(user, commands));
      return done.join('\n');
    };
  },
};

export const restoreUser: Command = {
  options: '--email <address>',
  does: `restores the most recently deleted user with this address, with the former role, when no admin is left to do it.
A link for setting a new password is mailed to the address.`,
  async read(args) {
    const { email } = readOptions(args, { email: option });
    if (email === undefined) throw new UsageError('--email is missing');
    return async (commands) => {
      const restored = await commands.restoreUser(email);
      if (restored === undefined) {
        throw new CommandFailed(`no deleted user with the address ${email} can be restored`);
      }
      return `restored ${restored.role} ${restored.email} with id ${restored.id}`;
    };
  },
};

type GivenUser = z.output<typeof newUser>;

function readLine(line: string, index: number): { user: GivenUser } | { faults: string[] } {
  const where = `  line ${index + 1}`;
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    // the parser's own message would show the line, which contains a password
    return { faults: [`${where} is not a JSON object`] };
  }
  const result = newUser.safeParse(given);
  if (result.success) return { user: result.data };
  return { faults: result.error.issues.map(({ path, message }) => `${where}: ${path.join('.') || 'it'} ${message}`) };
}

/** Creates a user, or reports that the user exists. The operator who runs this command thereby vouches for the address. */
async function add(user: GivenUser, { createUser, emailTakenBy }: Commands): Promise<string> {
  try {
    const created = await createUser({ ...user, emailVerified: true });
    return `created ${created.role} ${created.email} with id ${created.id}`;
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'email_taken')) throw error;
    if ((await emailTakenBy(user.email)) === 'account') return `${user.email} already exists`;
    throw new CommandFailed(`${user.email} is reserved: the account that had it may still take it back`);
  }
}

function fault(name: string, message: string, given: Readonly<Record<string, string | undefined>>): string {
  if (name === 'password') return `  the password on stdin: ${message}`;
  return given[name] === undefined ? `  --${name} is missing` : `  --${name}: ${message}`;
}
