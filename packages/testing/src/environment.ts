/** The value of an environment variable that the test runner sets when it starts the servers. */
export function fromRunner(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set: this test needs servers that the runner starts. Run it with: npm test -- <path of the test file>`,
  );
}

/** The environment of a program that a test starts: only the program path, and the cache of compiled code, which halves the program's start time. */
export function programEnv(): Record<string, string> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return {
    ...(PATH === undefined ? {} : { PATH }),
    ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }),
  };
}
