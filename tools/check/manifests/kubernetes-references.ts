import { nameOf, type KubernetesObject } from './kubernetes-objects.ts';

type Labels = Record<string, string>;
type Container = {
  name: string;
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  volumeMounts?: { name: string }[];
  ports?: { name?: string; containerPort: number }[];
  resources?: { requests?: object; limits?: object };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[] };
  };
  readinessProbe?: object;
  livenessProbe?: object;
};
type PodSpec = {
  serviceAccountName?: string;
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string }[];
  securityContext?: { runAsNonRoot?: boolean; seccompProfile?: { type: string } };
};
type Workload = KubernetesObject & {
  spec: { selector?: { matchLabels: Labels }; template: { metadata: { labels: Labels }; spec: PodSpec } };
};
type Service = KubernetesObject & {
  spec: { selector: Labels; ports: { port: number; targetPort?: string | number }[] };
};
type Selecting = KubernetesObject & { spec: { selector: { matchLabels: Labels } } };
type Scaler = KubernetesObject & { spec: { scaleTargetRef: { kind: string; name: string } } };

/**
 * Finds faults that are invisible in a single object but would keep the objects from working together or from being as secure as required: references
 * to missing objects, selectors that select nothing, containers without limits, probes or a closed security context.
 */
export function faultsOfReferences(objects: readonly KubernetesObject[]): string[] {
  const names = new Set(objects.map(nameOf));
  const ofKind = <T extends KubernetesObject>(kind: string) => objects.filter((object) => object.kind === kind) as T[];
  const workloads = [...ofKind<Workload>('Deployment'), ...ofKind<Workload>('Job')];
  const selects = (selector: Labels) => workloads.filter(({ spec }) => fits(spec.template.metadata.labels, selector));
  const missing = (from: KubernetesObject, name: string) =>
    names.has(name) ? [] : [`${nameOf(from)}: there is no ${name}`];

  return [
    ...workloads.flatMap((workload) => {
      const { selector, template } = workload.spec;
      const unselected =
        selector && !fits(template.metadata.labels, selector.matchLabels)
          ? ['its selector is not in its template']
          : [];
      const { serviceAccountName } = template.spec;
      return [
        ...[...unselected, ...faultsOfPod(template.spec)].map((fault) => `${nameOf(workload)}: ${fault}`),
        ...(serviceAccountName === undefined ? [] : missing(workload, `ServiceAccount ${serviceAccountName}`)),
        ...containersOf(template.spec)
          .flatMap(({ envFrom = [] }) => envFrom)
          .flatMap(({ configMapRef, secretRef }) => [
            ...(configMapRef ? missing(workload, `ConfigMap ${configMapRef.name}`) : []),
            ...(secretRef ? missing(workload, `Secret ${secretRef.name}`) : []),
          ]),
      ];
    }),
    ...ofKind<Service>('Service').flatMap((service) => {
      const found = selects(service.spec.selector);
      if (found.length === 0) return [`${nameOf(service)}: selects no pod`];
      const ports = found.flatMap(({ spec }) => spec.template.spec.containers.flatMap((one) => one.ports ?? []));
      const open = new Set(ports.flatMap(({ name, containerPort }) => [name, containerPort]));
      const shut = service.spec.ports.filter(({ port, targetPort }) => !open.has(targetPort ?? port));
      return shut.map(({ port, targetPort }) => `${nameOf(service)}: no container has the port ${targetPort ?? port}`);
    }),
    ...ofKind<Selecting>('PodDisruptionBudget').flatMap((budget) => {
      const { matchLabels } = budget.spec.selector;
      const isOperators = ofKind('RabbitmqCluster').some(({ metadata }) => fits(podLabels(metadata.name), matchLabels));
      return isOperators || selects(matchLabels).length > 0 ? [] : [`${nameOf(budget)}: selects no pod`];
    }),
    ...ofKind<Scaler>('HorizontalPodAutoscaler').flatMap((scaler) => {
      const { kind, name } = scaler.spec.scaleTargetRef;
      return missing(scaler, `${kind} ${name}`);
    }),
  ];
}

/** The labels that the operator of RabbitMQ gives the pods of a cluster. */
function podLabels(cluster: string): Labels {
  return { 'app.kubernetes.io/name': cluster };
}

function faultsOfPod(pod: PodSpec): string[] {
  const volumes = new Set(pod.volumes?.map(({ name }) => name));
  const guarded =
    pod.securityContext?.runAsNonRoot === true && pod.securityContext.seccompProfile?.type === 'RuntimeDefault';
  return [
    ...(guarded ? [] : ['its pods may run as root or without a seccomp profile']),
    ...containersOf(pod).flatMap(({ name, resources, securityContext, volumeMounts = [] }) => [
      ...(resources?.requests && resources.limits ? [] : [`container ${name} has no requests and limits`]),
      ...(securityContext?.allowPrivilegeEscalation === false &&
      securityContext.readOnlyRootFilesystem === true &&
      securityContext.capabilities?.drop?.includes('ALL')
        ? []
        : [`container ${name} may gain privileges or write to its image`]),
      ...volumeMounts
        .filter((mount) => !volumes.has(mount.name))
        .map((mount) => `container ${name} mounts ${mount.name}, which is not a volume`),
    ]),
    ...pod.containers
      .filter(({ readinessProbe, livenessProbe }) => !readinessProbe || !livenessProbe)
      .map(({ name }) => `container ${name} lacks a probe`),
  ];
}

function containersOf({ initContainers = [], containers }: PodSpec): Container[] {
  return [...initContainers, ...containers];
}

function fits(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
