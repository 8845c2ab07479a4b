import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { schemas } from '@taskwire/contracts';
import { EnvError, readEnv } from '@taskwire/env';
import { errorText, Problem } from '@taskwire/errors';
import { z } from 'zod';
import { databaseEnv } from './env.ts';
import { wireCommands } from './wire.ts';

/** What a command has of its process. */
export type CommandProcess = {
  args: string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
};

const usage = `Usage: node services/auth/src/cli.ts user add --email <address> --name <name> --role <admin|manager|member>

Makes a user; the first admin is made like this. The password is read from stdin, in one line:
  printf %s "$PASSWORD" | node services/auth/src/cli.ts user add --email ann@example.org --name Ann --role admin

DATABASE_URL names Auth's database. A user who exists already is left as they are.
Exit codes: 0 done, or nothing to do; 1 it failed; 2 the arguments are wrong.
`;

const newUser = z.object({
  email: schemas.email,
  name: schemas.personName,
  role: schemas.role,
  password: schemas.newPassword,
});

/** Wrong use of the command; the message says what to change. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Runs one command. Gives the exit code. */
export async function runCommand({ args, env, stdin, stdout, stderr }: CommandProcess): Promise<number> {
  try {
    if (args.includes('--help') || args.includes('-h')) {
      stdout.write(usage);
      return 0;
    }
    const user = await readUser(args, stdin);
    const settings = readEnv(databaseEnv, env);
    stdout.write(`${await addUser(settings, user, stderr)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      stderr.write(`${error.message}\n\n${usage}`);
      return 2;
    }
    stderr.write(`${error instanceof EnvError || error instanceof Problem ? error.message : errorText(error)}\n`);
    return 1;
  }
}

async function readUser(args: string[], stdin: Readable): Promise<z.output<typeof newUser>> {
  const given = parse(args);
  // the line that a terminal or echo ends is not part of the password
  const password = (await text(stdin)).replace(/\r?\n$/, '');
  const result = newUser.safeParse({ ...given, password });
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    if (name === 'password') return `  the password on stdin: ${message}`;
    return given[name as keyof typeof given] === undefined ? `  --${name} is missing` : `  --${name}: ${message}`;
  });
  throw new UsageError(`The user cannot be made:\n${faults.join('\n')}`);
}

function parse(args: string[]): { email?: string; name?: string; role?: string } {
  const option = { type: 'string' } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { email: option, name: option, role: option },
    });
    if (positionals.join(' ') === 'user add') return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  throw new UsageError(args.length === 0 ? 'A command is missing.' : 'There is no such command.');
}

async function addUser(env: { DATABASE_URL: string }, user: z.output<typeof newUser>, logs: Writable): Promise<string> {
  const commands = await wireCommands(env, logs);
  try {
    await commands.requireMigrated();
    // whoever runs this command vouches for the address
    const created = await commands.createUser({ ...user, emailVerified: true });
    return `made ${created.role} ${created.email} with id ${created.id}`;
  } catch (error) {
    if (error instanceof Problem && error.code === 'email_taken') return `${user.email} exists already`;
    throw error;
  } finally {
    await commands.close();
  }
}
