// node infra/local/bootstrap.mjs <script.ts> [arguments]
//
// Runs on any Node from version 20: installs the dependencies if they do not match the lockfile, then runs the script with the Node that is one of
// them. This file is plain JavaScript without dependencies, because nothing is installed yet.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pinnedPnpm } from './pinned-pnpm.mjs';
import { installSystemPackages } from './system-packages.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');
const local = join(root, '.local');
const [script, ...args] = process.argv.slice(2);

const major = Number(process.versions.node.split('.', 1)[0]);
if (major < 20) fail(`Taskwire needs Node 20 or later to begin with; this is ${process.version}.`);
if (script === undefined) fail('Usage: node infra/local/bootstrap.mjs <script> [arguments]');

let child;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
// in a terminal, Ctrl-C is also sent to the child, which ignores the second signal
for (const signal of signals) process.on(signal, () => child?.kill(signal) ?? process.exit(1));
if (process.env.npm_lifecycle_event !== undefined) watchNpm();

ownFolder(local);
if (!inStep()) await withLock(async () => inStep() || (await install()));
await requireWorkingNode();
const { code, signal } = await run(node, [join(root, script), ...args], {
  stdio: 'inherit',
  cwd: root,
  env: {
    // makes every process of the suite start a quarter faster from the second start onwards
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'),
    ...process.env,
    TASKWIRE_BOOTSTRAP: String(process.pid),
  },
});
if (signal) {
  signals.forEach((name) => process.removeAllListeners(name));
  process.kill(process.pid, signal);
} else process.exit(code ?? 1);

/** If npm is killed with -9, no signal is sent: its child (this process, or a shell between them) only gets another parent. */
function watchNpm() {
  const parent = process.ppid;
  const grandparent = parentOf(parent);
  setInterval(() => {
    if (process.ppid !== parent || parentOf(parent) !== grandparent) child?.kill('SIGTERM');
  }, 1000).unref();
}

function parentOf(pid) {
  try {
    // Linux; the second field is the name in parentheses, which may contain any character
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).split(' ')[2];
  } catch {
    return process.platform === 'linux' ? undefined : ask('ps', ['-o', 'ppid=', '-p', String(pid)]);
  }
}

function ask(command, commandArgs) {
  try {
    return execFileSync(command, commandArgs, { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** pnpm writes its copy of the lockfile when an install is complete. */
function inStep() {
  try {
    const wanted = readFileSync(join(root, 'pnpm-lock.yaml'));
    return existsSync(node) && wanted.equals(readFileSync(join(root, 'node_modules/.pnpm/lock.yaml')));
  } catch {
    return false;
  }
}

async function install() {
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  console.log('dependencies  installing …');
  const progress = setInterval(() => console.log(`dependencies  installing … ${seconds()}`), 10_000);
  const output = [];
  const pnpm = await pinnedPnpm(join(local, 'pnpm')).catch((error) =>
    fail(`\npnpm could not be fetched. ${error.message}`),
  );
  const [command, ...first] = pnpm;
  const result = await run(command, [...first, 'install', '--frozen-lockfile', '--reporter=append-only'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: root,
    onOutput: (chunk) => output.push(chunk),
  });
  clearInterval(progress);
  if (result.code !== 0 || !existsSync(node)) {
    console.error(Buffer.concat(output).toString('utf8').trimEnd().split('\n').slice(-25).join('\n'));
    fail(
      '\nThe dependencies could not be installed (pnpm install). Is the npm registry within reach, and is there room on the disk?',
    );
  }
  console.log(`dependencies  installed in ${seconds()}`);
}

/** A minimal Debian lacks a library that Node 26 is linked with; larger installations get the library with their compiler. */
async function requireWorkingNode() {
  const fault = nodeFault();
  if (fault === undefined) return;
  if (!fault.includes('libatomic.so.1')) fail(`The Node of the dependencies does not run here:\n${fault}`);
  try {
    await installSystemPackages(['libatomic1'], (text) => console.log(`dependencies  ${text}`));
  } catch (error) {
    fail(error.message);
  }
}

function nodeFault() {
  const { status, stderr, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr || String(error);
}

function run(command, commandArgs, { onOutput, ...options }) {
  return new Promise((resolve) => {
    child = spawn(command, commandArgs, options);
    child.stdout?.on('data', onOutput);
    child.stderr?.on('data', onOutput);
    child.once('error', (error) => fail(`${command} could not be run: ${error.message}`));
    child.once('close', (exitCode, endSignal) => resolve({ code: exitCode, signal: endSignal }));
  });
}

/** `npm start` and `npm test` in the same clone install the dependencies one after the other. */
async function withLock(work) {
  const lock = join(local, 'install.lock');
  for (let isLogged = false; !take(lock); isLogged = true) {
    if (!isLogged) console.log('dependencies  another start is installing them, waiting …');
    await delay(500);
  }
  process.once('exit', () => rmSync(lock, { force: true }));
  await work();
  rmSync(lock, { force: true });
}

/** Data, logs and secrets are accessible only to their owner; the mode of a folder created by an older version is corrected too. */
function ownFolder(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    chmodSync(folder, 0o700);
  } catch {
    // another user owns it; the code that needs it reports the error
  }
}

function take(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock) {
  try {
    // the file is briefly empty between its creation and its first write
    const holder = Number(readFileSync(lock, 'utf8'));
    if (holder === 0) return Date.now() - statSync(lock).mtimeMs < 5000;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
