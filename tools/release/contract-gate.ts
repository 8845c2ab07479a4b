import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { acceptedFaults, acceptedSchema, type AcceptedBreaks } from './accepted-breaks.ts';
import { fileOfRelease, filesOfRelease, lastRelease, type ReleaseRecord } from './records.ts';

const findingsSchema = z.array(z.object({ judgement: z.enum(['break', 'note']), text: z.string() }));

/** A difference between the contracts of two versions. */
export type Finding = z.infer<typeof findingsSchema>[number];

/** The faults that make the gate fail, and all differences since the last recorded release. */
export type GateResult = { release: string; findings: Finding[]; faults: string[] };

/**
 * Compares the documents in `contracts/` with those of the last recorded release. Every break must be accepted for the next release, with its reason.
 * @throws an error with the command that fetches the release's commit, if the clone lacks it: the check must not pass without a comparison.
 */
export function judgeContracts(root: string, today: Date): GateResult {
  const base = lastRelease(root);
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-contracts-'));
  try {
    writeContracts(root, base, folder);
    const findings = judge(root, folder, join(root, 'contracts'));
    const accepted = readAccepted(root);
    const breaks = findings.filter(({ judgement }) => judgement === 'break').map(({ text }) => text);
    const versions = {
      before: (path: string) => versionIn(folder, path),
      after: (path: string) => versionIn(join(root, 'contracts'), path),
    };
    const faults = acceptedFaults({
      accepted,
      breaks,
      base: base.version,
      today,
      versions,
      sunsetOf: (text) => sunsetIn(folder, text),
    });
    return { release: base.version, findings, faults };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeContracts(root: string, base: ReleaseRecord, folder: string): void {
  const files = filesOfRelease(root, base, 'contracts');
  if (files.length === 0) throw new Error(`release ${base.version} has no contracts to compare with`);
  for (const file of files) {
    const target = join(folder, file.replace(/^contracts\//, ''));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, fileOfRelease(root, base, file) ?? '');
  }
}

/** Runs the program that compares the documents; the rules belong to packages/contracts. */
function judge(root: string, before: string, after: string): Finding[] {
  const program = join(root, 'packages/contracts/generate/judge.ts');
  const output = execFileSync(process.execPath, ['--no-warnings', program, before, after], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return findingsSchema.parse(JSON.parse(output));
}

function readAccepted(root: string): AcceptedBreaks {
  return acceptedSchema.parse(JSON.parse(readFileSync(join(root, 'packages/contracts/accepted-breaks.json'), 'utf8')));
}

/** Returns the `info.version` that applies to a document: its own, or for an event's schema that of the AsyncAPI document. */
function versionIn(folder: string, path: string): string | undefined {
  const file = join(folder, path.startsWith('events/') ? 'asyncapi.yaml' : path);
  if (!existsSync(file)) return undefined;
  return /^\s*"?version"?: "?(\d+\.\d+\.\d+)/m.exec(readFileSync(file, 'utf8'))?.[1];
}

const operationSchema = z.object({
  'x-deprecated': z.iso.date().optional(),
  'x-sunset': z.iso.date().optional(),
  responses: z.record(z.string(), z.object({ headers: z.record(z.string(), z.unknown()).optional() })),
});
const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) });

/** Returns the dates that the release announced, in its document and by response headers, for the operation that a break affects. */
function sunsetIn(folder: string, text: string): { since: string; sunset: string } | undefined {
  const [, document, method = '', path = ''] = /^(openapi\/\S+) ([A-Z]+) (\/\S*?):?(?: |$)/.exec(text) ?? [];
  if (document === undefined) return undefined;
  const operation = documentSchema.parse(JSON.parse(readFileSync(join(folder, document), 'utf8'))).paths[path]?.[
    method.toLowerCase()
  ];
  const { 'x-deprecated': since, 'x-sunset': sunset, responses = {} } = operation ?? {};
  const announced = Object.values(responses).some(
    ({ headers = {} }) => 'Deprecation' in headers && 'Sunset' in headers,
  );
  return since === undefined || sunset === undefined || !announced ? undefined : { since, sunset };
}
