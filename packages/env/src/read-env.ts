import { z } from 'zod';

/** Invalid environment. `message` lists every fault at once, each with the variable's name and the remedy. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The environment is invalid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/**
 * Parses the environment once, at the start of a process. Variables that are not in the schema are ignored. An empty string counts as unset, as in a
 * compose file with `${NAME:-}`. Errors never contain values, because those may be secrets.
 * @throws EnvError with all faults.
 */
export function readEnv<S extends z.ZodObject>(
  schema: S,
  source: Readonly<Record<string, string | undefined>>,
): z.infer<S> {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(given, { reportInput: false });
  if (result.success) return result.data;
  throw new EnvError(
    result.error.issues.map((issue) => {
      const name = issue.path.join('.');
      const missing = issue.path.length === 1 && !(String(issue.path[0]) in given);
      return missing ? `${name} is not set: ${describe(schema, name)}` : `${name}: ${issue.message}`;
    }),
  );
}

function describe(schema: z.ZodObject, name: string): string {
  const field: unknown = schema.shape[name];
  return (field instanceof z.ZodType ? field.description : undefined) ?? 'it is required';
}

/** sysexits.h EX_CONFIG: "something was found in an unconfigured or misconfigured state". */
const badConfiguration = 78;

/** `readEnv` for the start of a process: writes faults to stderr, without a stack trace, and ends the process with code 78. */
export function readEnvOrExit<S extends z.ZodObject>(
  schema: S,
  from: { env: NodeJS.ProcessEnv; stderr: Pick<NodeJS.WriteStream, 'write'>; exit(code: number): never },
): z.infer<S> {
  try {
    return readEnv(schema, from.env);
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    from.stderr.write(`${error.message}\n`);
    return from.exit(badConfiguration);
  }
}
