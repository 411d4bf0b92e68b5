import { type HrTime, ValueType } from "@opentelemetry/api";
import { hrTime } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { type MetricDefinition, type MetricName, catalogue, exposedName } from "./catalogue.ts";
import { type Series, createSeries } from "./series.ts";

/** A sum as it grows. */
export type Sum = { value: number };

/**
 * A distribution as it grows: how many, their sum, and how many up to each bound, the last without
 * one.
 */
export type Distribution = { count: number; sum: number; readonly buckets: number[] };

type Kept =
  | { readonly kind: "counter"; readonly series: Series<Sum> }
  | {
      readonly kind: "histogram";
      readonly series: Series<Distribution>;
      readonly bounds: readonly number[];
    };

const startTime = hrTime();
const kept = new Map<MetricName, Kept>();

/**
 * The metrics that are kept here, for the reader of the SDK. Metrics that requests count often are
 * kept by ourselves: the SDK serialises the labels at each count, which is most of what counting
 * costs.
 */
export const keptMetrics: MetricProducer = {
  collect: async (): Promise<CollectionResult> => ({
    resourceMetrics: {
      resource: resourceFromAttributes({}),
      scopeMetrics: [
        {
          scope: { name: "sallyport" },
          metrics: [...kept]
            .map(([name, metric]) => dataOf(name, metric, hrTime()))
            .filter(({ dataPoints }) => dataPoints.length > 0),
        },
      ],
    },
    errors: [],
  }),
};

/** The sums of a counter, shared by all that ask for its name. */
export function sumsOf(name: MetricName<"counter">): Series<Sum> {
  const known = kept.get(name);
  if (known?.kind === "counter") return known.series;
  const series = createSeries(catalogue[name].labels, () => ({ value: 0 }));
  kept.set(name, { kind: "counter", series });
  return series;
}

/** Takes a measurement into a distribution with these upper bounds. */
export function measure(
  distribution: Distribution,
  bounds: readonly number[],
  value: number,
): void {
  distribution.count += 1;
  distribution.sum += value;
  const above = bounds.findIndex((bound) => value <= bound);
  const at = above === -1 ? bounds.length : above;
  distribution.buckets[at] = (distribution.buckets[at] ?? 0) + 1;
}

/** The distributions of a histogram, shared likewise. */
export function distributionsOf(name: MetricName<"histogram">): Series<Distribution> {
  const known = kept.get(name);
  if (known?.kind === "histogram") return known.series;
  const { labels, bounds } = catalogue[name];
  const empty = (): Distribution => ({
    count: 0,
    sum: 0,
    buckets: Array<number>(bounds.length + 1).fill(0),
  });
  const series = createSeries(labels, empty);
  kept.set(name, { kind: "histogram", series, bounds });
  return series;
}

function dataOf(name: MetricName, metric: Kept, endTime: HrTime): MetricData {
  const { help, unit }: MetricDefinition = catalogue[name];
  const base = {
    descriptor: { name: exposedName(name), description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (metric.kind === "counter")
    return {
      ...base,
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints: [...metric.series.entries()].map(({ labels, kept: { value } }) => ({
        startTime,
        endTime,
        attributes: labels,
        value,
      })),
    };
  const boundaries = [...metric.bounds];
  return {
    ...base,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: [...metric.series.entries()].map(({ labels, kept: { count, sum, buckets } }) => ({
      startTime,
      endTime,
      attributes: labels,
      value: { count, sum, buckets: { boundaries, counts: [...buckets] } },
    })),
  };
}
