/** The outcome of an audit: 0 without findings, 1 with some, 2 if it is unknown. */
export type Verdict = { exitCode: 0 | 1 | 2; text: string };

/**
 * Interprets the result of `pnpm audit`. pnpm fails in the same way for a vulnerability and for a registry that does not respond; only the text
 * differs.
 */
export function verdictOf({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }): Verdict {
  const output = `${stdout}\n${stderr}`.trim();
  if (code === 0) return { exitCode: 0, text: output };
  if (/\d+ (vulnerability|vulnerabilities) found/.test(stdout)) return { exitCode: 1, text: output };
  return { exitCode: 2, text: `It is unknown whether there are vulnerabilities; the registry did not say.\n${output}` };
}
