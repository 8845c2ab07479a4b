// Creates the secrets of a cluster, once, in the folder of an overlay:
//   node infra/local/bootstrap.mjs infra/kubernetes/new-secrets.ts k8s/overlays/mine --smtp-url smtps://login:password@mail.example.com
// PostgreSQL and RabbitMQ are the servers of k8s/overlays/production, unless --postgres and --rabbitmq name others (host:port).
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clusterServers, newSecretFiles } from './secret-files.ts';

const usage =
  'Usage: new-secrets.ts <folder of an overlay> --smtp-url <smtp[s]://…> [--postgres <host:port>] [--rabbitmq <host:port>]';
const text = { type: 'string' } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'smtp-url': text, postgres: text, rabbitmq: text },
});
const [overlay = '', ...rest] = positionals;
const smtpUrl = values['smtp-url'] ?? '';
const folder = join(overlay, 'secrets');
if (!existsSync(join(overlay, 'kustomization.yaml')) || !/^smtps?:\/\/./.test(smtpUrl) || rest.length > 0) {
  console.error(usage);
  process.exit(2);
}
if (existsSync(folder)) {
  console.error(
    `${folder} exists, and the data of the installation depend on it. Remove it first if that is what you want.`,
  );
  process.exit(1);
}
mkdirSync(folder, { mode: 0o700 });
for (const [name, content] of newSecretFiles(clusterServers(smtpUrl, values))) {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
}
console.log(`Wrote ${folder}. Keep a copy where your team keeps secrets. Now: kubectl apply -k ${overlay}`);
