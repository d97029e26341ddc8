/**
 * Horizontal pod autoscalers as `kubectl get hpa` tells of them, and why one does not act. Pure.
 */
import type { V2HorizontalPodAutoscaler, V2MetricSpec, V2MetricStatus } from '@kubernetes/client-node';
import { parseQuantity } from './quantity.ts';

export interface Autoscaler {
  name: string;
  /** The workload that it scales. */
  target: string;
  min: number;
  max: number;
  /** Undefined until the controller has looked at it. */
  current: number | undefined;
  desired: number | undefined;
  metrics: readonly ScalingMetric[];
  /** Why it cannot scale, where it says so. */
  problem: string | undefined;
}

export interface ScalingMetric {
  /** `cpu`, `memory`, or the name of an external one. */
  name: string;
  /** `163%`, `12`; undefined: not known (yet). */
  current: string | undefined;
  target: string;
}

export function toAutoscaler({ metadata, spec, status }: V2HorizontalPodAutoscaler): Autoscaler {
  const inactive = status?.conditions?.find(
    ({ type, status: holds }) => (type === 'ScalingActive' || type === 'AbleToScale') && holds === 'False',
  );
  return {
    name: metadata?.name ?? '',
    target: spec?.scaleTargetRef.name ?? '',
    min: spec?.minReplicas ?? 1,
    max: spec?.maxReplicas ?? 0,
    current: status?.currentReplicas,
    desired: status?.conditions === undefined ? undefined : status.desiredReplicas,
    metrics: (spec?.metrics ?? []).map((metric) => describeMetric(metric, status?.currentMetrics ?? [])),
    problem: inactive?.reason,
  };
}

interface Value {
  averageUtilization?: number;
  averageValue?: string;
  value?: string;
}

function describeMetric(spec: V2MetricSpec, statuses: readonly V2MetricStatus[]): ScalingMetric {
  const name = metricName(spec);
  const status = statuses.find((candidate) => candidate.type === spec.type && metricName(candidate) === name);
  const target = targetOf(spec);
  return {
    name,
    current: status && describeValue(currentOf(status), target),
    target: describeValue(target, target) ?? 'unknown',
  };
}

function metricName(metric: V2MetricSpec | V2MetricStatus): string {
  const { resource, containerResource, external, pods, object, type } = metric;
  const named = resource ?? containerResource ?? external?.metric ?? pods?.metric ?? object?.metric;
  return named?.name ?? type;
}

function targetOf({ resource, containerResource, external, pods, object }: V2MetricSpec): Value | undefined {
  return (resource ?? containerResource ?? external ?? pods ?? object)?.target;
}

function currentOf({
  resource,
  containerResource,
  external,
  pods,
  object,
}: V2MetricStatus): Value | undefined {
  return (resource ?? containerResource ?? external ?? pods ?? object)?.current;
}

/** In the form in which the target is set: a share of the requests, an average per pod or one number. */
function describeValue(value: Value | undefined, target: Value | undefined): string | undefined {
  if (target?.averageUtilization !== undefined)
    return value?.averageUtilization === undefined ? undefined : `${value.averageUtilization}%`;
  const quantity = target?.averageValue === undefined ? value?.value : value?.averageValue;
  const amount = parseQuantity(quantity ?? '');
  return amount === undefined ? undefined : String(Math.round(amount * 100) / 100);
}
