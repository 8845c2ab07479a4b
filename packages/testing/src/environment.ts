/** The value of an environment variable that the test runner sets when it starts the servers. */
export function fromRunner(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(
    `${name} is not set: this test needs servers that the runner starts. Run it with: npm test -- <path of the test file>`,
  );
}
