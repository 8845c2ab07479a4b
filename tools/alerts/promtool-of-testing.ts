import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { localFolder } from '../../infra/local/running-file.ts';

const run = promisify(execFile);

/** A package and the index of its suite: about 30 MB. */
const downloadTimeoutMs = 300_000;

/**
 * Returns promtool of Debian testing (Prometheus 3.5), a single file that also runs on the stable release. It is downloaded once, into .local/promtool,
 * from the mirror that this machine's apt uses, and apt verifies it. That needs no root, and changes nothing outside of the folder. Undefined if this is
 * not a Debian.
 */
export async function promtoolOfTesting(): Promise<string | undefined> {
  const folder = join(localFolder(), 'promtool');
  const tool = join(folder, 'usr/bin/promtool');
  if (existsSync(tool)) return tool;
  const mirror = await mirrorOfDebian();
  if (mirror === undefined) return undefined;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  for (const name of ['lists/partial', 'cache/archives/partial', 'tree'])
    mkdirSync(join(part, name), { recursive: true });
  const sources = join(part, 'sources.list');
  writeFileSync(sources, `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} testing main\n`);
  const own = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '-',
    'Dir::Etc::Preferences': '-',
    'Dir::Etc::PreferencesParts': '-',
    'Dir::State::Lists': join(part, 'lists'),
    'Dir::Cache': join(part, 'cache'),
    // apt's own user cannot write here
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '3',
  };
  const options = Object.entries(own).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const apt = async (...args: string[]) =>
    await run('apt-get', [...options, ...args], { cwd: part, timeout: downloadTimeoutMs });
  await apt('update');
  await apt('download', 'promtool');
  const [file = 'promtool.deb'] = globSync('promtool_*.deb', { cwd: part });
  await run('dpkg-deb', ['-x', join(part, file), join(part, 'tree')]);
  rmSync(folder, { recursive: true, force: true });
  renameSync(join(part, 'tree'), folder);
  rmSync(part, { recursive: true });
  return tool;
}

/** The mirror of Debian in the configuration of apt. */
async function mirrorOfDebian(): Promise<string | undefined> {
  const targets = ['indextargets', '--format', '$(ORIGIN) $(LABEL) $(REPO_URI)'];
  const { stdout } = await run('apt-get', targets).catch(() => ({ stdout: '' }));
  return /^Debian Debian (\S+)$/m.exec(stdout)?.[1];
}
