import { existsSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '@taskwire/process-supervisor';
import { demoPeople } from '../../infra/local/people.ts';
import type { Bases } from './bases.ts';
import { ensureCompose } from './docker-compose.ts';
import { folder, lastOf, removeContainers, run, type Engine, type Result } from './engine.ts';
import { runHealthChecks } from './health-checks.ts';
import { makeProject, projectFolder } from './project.ts';

/** The suite of docker-compose.yml in containers. */
export type Suite = {
  url: string;
  engine: Engine;
  bases: Bases;
  /** Runs Docker Compose on the suite. */
  compose(args: string[], input?: string): Promise<Result>;
  stop(): Promise<void>;
};

/** The first start of PostgreSQL and RabbitMQ takes most of this time; a busy machine needs several minutes. */
const upTimeoutMs = 8 * 60_000;
const socketTimeoutMs = 20_000;

/** Starts the suite with `docker compose up --wait`, and adds the users of npm start with the operators' command in Auth's image. */
export async function startSuite(o: {
  engine: Engine;
  bases: Bases;
  signal: AbortSignal;
  say: (text: string) => void;
}): Promise<Suite> {
  const { engine, say } = o;
  const program = await ensureCompose(engine, say);
  const socket = join(folder, 'engine/podman.sock');
  const service = spawn('podman', ['system', 'service', '--time', '0', `unix://${socket}`], {
    env: engine.env,
    stdio: 'ignore',
  });
  const [gateway, mailPage] = await freePorts(2);
  const url = `http://localhost:${gateway}`;
  const project = makeProject({ GATEWAY_PORT: `${gateway}`, MAIL_PAGE_PORT: `${mailPage}`, PUBLIC_URL: url });
  const compose = async (args: string[], input?: string) =>
    await run(program, [...project, ...args], {
      env: { ...engine.env, DOCKER_HOST: `unix://${socket}` },
      cwd: projectFolder,
      timeoutMs: upTimeoutMs,
      signal: o.signal,
      ...(input !== undefined && { input }),
    });
  const ending = new AbortController();
  const checks = runHealthChecks(engine, ending.signal);
  const stop = async () => {
    await keepLogs(engine);
    // the containers are removed by the engine and not by Docker Compose, which would wait for each to stop
    await removeContainers(engine);
    ending.abort();
    await checks;
    service.kill();
  };
  try {
    await waitForSocket(socket);
    await up({ compose, say });
    const people = demoPeople.map((person) => JSON.stringify(person)).join('\n');
    const imported = await compose(['exec', '-T', 'auth', 'taskwire', 'auth', 'user', 'import'], people);
    if (imported.code !== 0) throw new Error(`The users could not be added: ${lastOf(imported)}`);
    say('users were added with taskwire auth user import in the container of Auth');
    return { url, engine, bases: o.bases, compose, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function up({ compose, say }: Pick<Suite, 'compose'> & { say: (text: string) => void }): Promise<void> {
  const began = performance.now();
  const result = await compose(['up', '--detach', '--no-build', '--wait']);
  if (result.code !== 0)
    throw new Error(`docker compose up failed; the logs are in .local/containers/logs.txt: ${lastOf(result)}`);
  say(`docker compose up --wait: healthy after ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

async function waitForSocket(socket: string): Promise<void> {
  const deadline = performance.now() + socketTimeoutMs;
  while (!existsSync(socket)) {
    if (performance.now() > deadline)
      throw new Error(`podman system service did not listen within ${socketTimeoutMs / 1000} s`);
    await delay(100);
  }
}

/** Keeps the last log lines of each container, for the investigation of a failure. */
async function keepLogs(engine: Engine): Promise<void> {
  const { stdout } = await engine.tryPodman(['ps', '--all', '--format', '{{.Names}}']);
  const states = await engine.tryPodman(['ps', '--all', '--format', '{{.Names}}\t{{.Status}}\t{{.Image}}']);
  const logs: string[] = [states.stdout];
  for (const name of stdout
    .trim()
    .split('\n')
    .filter((one) => one !== '')) {
    const { stdout: out, stderr: err } = await engine.tryPodman(['logs', '--tail', '200', name]);
    logs.push(`==== ${name}\n${out}\n${err}`);
  }
  writeFileSync(join(folder, 'logs.txt'), logs.join('\n'), { mode: 0o600 });
}
