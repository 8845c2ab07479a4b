/**
 * The configuration files of a separate podman engine, whose images, containers, networks and volumes are in one folder, separate from those of the
 * machine.
 */
export type EngineFiles = Record<'containers.conf' | 'storage.conf' | 'registries.conf' | 'runc', string>;

export type EnginePlaces = {
  /** For images, volumes and networks. */
  folder: string;
  /** The folder for run-time state that does not survive a restart of the machine. podman accepts paths of at most 50 characters. */
  runFolder: string;
  runc: string;
};

/** All paths are absolute. */
export function engineFiles({ folder, runFolder, runc }: EnginePlaces): EngineFiles {
  return {
    'containers.conf': `[engine]
# works without systemd
cgroup_manager = "cgroupfs"
events_logger = "file"
# a runtime other than the one that Debian installs by default
runtime = "${folder}/runc"
# otherwise taskwire/auth means the image of that name in Docker's registry
compat_api_enforce_docker_hub = false
# podman would start a timer of systemd for each health check; this command runs the checks itself
env = ["DISABLE_HC_SYSTEMD=true"]
# below the storage, because podman looks for it there when it cleans up after a container, or restarts one
static_dir = "${folder}/storage/libpod"
tmp_dir = "${runFolder}/libpod"
volume_path = "${folder}/volumes"

[network]
network_backend = "netavark"
network_config_dir = "${folder}/networks"
`,
    'storage.conf': `[storage]
driver = "overlay"
graphroot = "${folder}/storage"
runroot = "${runFolder}/storage"
`,
    'registries.conf': `unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
`,
    // podman writes the specifications itself, on one line, and no limit contains a bracket.
    runc: `#!/bin/sh
# runc, without the limits of open files and processes that podman asks for: a machine without CAP_SYS_RESOURCE refuses to raise them.
specification=
previous=
for argument in "$@"; do
  case $previous in
    --bundle | -b) specification=$argument/config.json ;;
    --process | -p) specification=$argument ;;
  esac
  previous=$argument
done
if [ -f "$specification" ]; then sed -i -E 's/"rlimits":\\[[^]]*\\]/"rlimits":[]/' "$specification"; fi
exec ${runc} "$@"
`,
  };
}
