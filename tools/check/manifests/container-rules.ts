/** The parts of a compose service that the rules for running containers look at. */
export type RunningContainer = {
  image?: string;
  tmpfs?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  healthcheck?: { disable?: boolean };
  mem_limit?: string;
  cpus?: number;
  pids_limit?: number;
  logging?: { driver?: string; options?: Record<string, string> };
  environment?: Record<string, unknown>;
  networks?: string[];
};

/** The value of `${NAME:-value}` when the variable is not set. */
function withDefaults(text: string): string {
  return text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');
}

/**
 * Whether a reference names one version: a digest, or a tag with at least two numbers. A tag such as `18` or `alpine` becomes another image without
 * a change here. PostgreSQL's versions have two numbers.
 */
export function isExactImage(reference: string): boolean {
  const image = withDefaults(reference);
  return /@sha256:[0-9a-f]{64}$/.test(image) || /:\d+\.\d+(\.\d+)?(-[\w.-]+)?$/.test(image);
}

/** The CPUs of the smallest machine that docker-compose.yml supports. Docker refuses to start a container whose limit exceeds the machine's CPUs. */
const mostCpus = 2;

/** The faults of one service for which Docker or podman would not run it, or would run it with less protection than the others have. */
export function faultsOfContainer(container: RunningContainer, internalNetworks: ReadonlySet<string>): string[] {
  const image = container.image ?? '';
  const isOwn = image.startsWith('taskwire/');
  const { mem_limit: memory, cpus, pids_limit: processes, logging, networks = [], environment = {} } = container;
  return [
    ...(isOwn && !/^taskwire\/\w+:(?!latest$)\S+$/.test(withDefaults(image))
      ? [`its image ${image} has no tag, or the tag latest`]
      : []),
    ...(!isOwn && !isExactImage(image) ? [`its image ${image} is not an exact version or a digest`] : []),
    ...(memory === undefined || cpus === undefined || processes === undefined
      ? ['has no limit for memory, CPUs or processes']
      : []),
    ...(cpus !== undefined && cpus > mostCpus
      ? [`its limit of ${cpus} CPUs keeps it from starting on a machine with ${mostCpus}`]
      : []),
    ...(logging?.options?.['max-size'] === undefined || logging.options['max-file'] === undefined
      ? ['keeps logs without a limit']
      : []),
    ...(container.tmpfs ?? [])
      .filter((mount) => /\b[ug]id=/.test(mount))
      .map((mount) => `podman refuses the owner of the tmpfs ${mount}; use a mode`),
    ...(isOwn && container.healthcheck === undefined
      ? ['has no health check here, and an image in the OCI format has none either']
      : []),
    ...(isOwn && !isConfined(container) ? ['may write to its image, keeps capabilities, or may gain privileges'] : []),
    ...('SMTP_URL' in environment && networks.every((network) => internalNetworks.has(network))
      ? ['sends e-mails, and is in no network that leads outside']
      : []),
  ];
}

function isConfined({ read_only: readOnly, cap_drop: dropped, security_opt: options }: RunningContainer): boolean {
  return readOnly === true && dropped?.includes('ALL') === true && options?.includes('no-new-privileges:true') === true;
}
