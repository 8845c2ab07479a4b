import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { folder, root } from './engine.ts';

/** The folder that is the project directory of Docker Compose: docker-compose.yml is the shipped file, and .env is created for each run. */
export const projectFolder = join(folder, 'suite');

/** Settings that an operator would add to .env. */
export type Settings = Record<string, string>;

/** Returns the overrides of docker-compose.yml for podman, whose log driver supports only one file. */
export function overridesOf(compose: string): string {
  const { services } = parse(compose) as { services: object };
  const names = Object.keys(services);
  return `services:\n${names.map((name) => `  ${name}: { logging: !reset null }\n`).join('')}`;
}

/** Creates the project directory. @returns the arguments with which Docker Compose uses it. */
export function makeProject(settings: Settings): string[] {
  rmSync(projectFolder, { recursive: true, force: true });
  mkdirSync(projectFolder, { recursive: true, mode: 0o700 });
  symlinkSync(join(root, 'infra'), join(projectFolder, 'infra'));
  // as an operator runs it
  execFileSync(process.execPath, [join(root, 'infra/compose/new-env.ts'), projectFolder], { stdio: 'pipe' });
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  appendFileSync(join(projectFolder, '.env'), lines.join(''));
  const compose = join(root, 'docker-compose.yml');
  const overrides = join(projectFolder, 'podman.yml');
  writeFileSync(overrides, overridesOf(readFileSync(compose, 'utf8')));
  return [
    ...['--project-name', 'taskwire', '--project-directory', projectFolder, '--env-file', join(projectFolder, '.env')],
    ...['--file', compose, '--file', overrides],
  ];
}
