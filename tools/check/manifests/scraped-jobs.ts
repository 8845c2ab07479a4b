import { nameOf, type KubernetesObject } from './kubernetes-objects.ts';

type Labels = Record<string, string>;
type Port = { name?: string };
type Deployment = KubernetesObject & {
  spec: {
    template: {
      metadata: { labels: Labels };
      spec: Record<'initContainers' | 'containers', { ports?: Port[] }[] | undefined>;
    };
  };
};
type Relabeling = { targetLabel?: string; replacement?: string; sourceLabels?: string[] };
type PodMonitor = KubernetesObject & {
  spec: {
    selector: { matchLabels?: Labels; matchExpressions?: { key: string }[] };
    podMetricsEndpoints: { port: string; relabelings?: Relabeling[] }[];
  };
};

/**
 * The faults for which Prometheus would miss a job that the alerts name (`wanted`), or would find no port of one of our pods. Pods of operators are not
 * among the objects, so their ports are not checked. Overlays without alerts need no monitors.
 */
export function faultsOfMonitors(objects: readonly KubernetesObject[], wanted: readonly string[]): string[] {
  const ofKind = <T extends KubernetesObject>(kind: string) => objects.filter((object) => object.kind === kind) as T[];
  if (ofKind('PrometheusRule').length === 0) return [];
  const monitors = ofKind<PodMonitor>('PodMonitor');
  const podsOf = ({ spec: { selector } }: PodMonitor) =>
    ofKind<Deployment>('Deployment')
      .map(({ spec }) => spec.template)
      .filter(({ metadata: { labels } }) => isSelected(labels, selector));
  const scraped = new Set(
    monitors.flatMap((monitor) =>
      monitor.spec.podMetricsEndpoints.flatMap(({ relabelings = [] }) =>
        relabelings
          .filter(({ targetLabel }) => targetLabel === 'job')
          .flatMap((one) =>
            jobsOf(
              one,
              podsOf(monitor).map(({ metadata }) => metadata.labels),
            ),
          ),
      ),
    ),
  );
  return [
    ...wanted.filter((job) => !scraped.has(job)).map((job) => `no PodMonitor scrapes the job ${job} of the alerts`),
    ...monitors.flatMap((monitor) =>
      podsOf(monitor).flatMap(({ spec: { initContainers = [], containers = [] } }) => {
        const ports = new Set(
          [...initContainers, ...containers].flatMap((one) => (one.ports ?? []).map(({ name }) => name)),
        );
        return monitor.spec.podMetricsEndpoints
          .filter(({ port }) => !ports.has(port))
          .map(({ port }) => `${nameOf(monitor)}: no container has the port ${port}`);
      }),
    ),
  ];
}

function isSelected(
  labels: Labels,
  { matchLabels = {}, matchExpressions = [] }: PodMonitor['spec']['selector'],
): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key }) => key in labels)
  );
}

/** The values of `job`: a given one, or those of a label of the pods, whose name Prometheus writes with underscores. */
function jobsOf({ replacement, sourceLabels = [] }: Relabeling, pods: readonly Labels[]): string[] {
  if (replacement !== undefined) return [replacement];
  return pods.flatMap((labels) =>
    Object.entries(labels)
      .filter(([name]) => sourceLabels.includes(`__meta_kubernetes_pod_label_${name.replaceAll(/\W/g, '_')}`))
      .map(([, value]) => value),
  );
}
