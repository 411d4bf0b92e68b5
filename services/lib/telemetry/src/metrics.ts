import { type Attributes, type Meter, ValueType } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  type LabelsOf,
  type MetricDefinition,
  type MetricName,
  catalogue,
  exposedName,
} from "./catalogue.ts";
import { distributionsOf, keptMetrics, measure, sumsOf } from "./kept-metrics.ts";

/** The value of a gauge or an observed counter at a scrape. */
export type Observation<N extends MetricName> = {
  readonly value: number;
  readonly labels: LabelsOf<N>;
};

/**
 * Gives the observations of the moment. When it throws, what it gave last is shown as not a number.
 */
export type Observe<N extends MetricName> = () =>
  | readonly Observation<N>[]
  | Promise<readonly Observation<N>[]>;

// Metrics are read when somebody asks for them; nothing is pushed.
class PullReader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

const collectMs = 3_000;
const reader = new PullReader({ metricProducers: [keptMetrics] });
const meter: Meter = new MeterProvider({ readers: [reader] }).getMeter("sallyport");
const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

/** Returns all metrics of this process in Prometheus's text format. */
export async function exposeMetrics(): Promise<string> {
  const { resourceMetrics } = await reader.collect({ timeoutMillis: collectMs });
  return `${serializer.serialize(resourceMetrics)}\n`;
}

/**
 * Makes what counts; a series is shown from its first count on, so count 0 where zero should be
 * seen.
 */
export function counter<N extends MetricName<"counter">>(
  name: N,
): (labels: LabelsOf<N>, by?: number) => void {
  const sums = sumsOf(name);
  return (labels, by = 1) => {
    sums.at(labels).value += by;
  };
}

/** Makes what takes measurements, in the unit that the catalogue names. */
export function histogram<N extends MetricName<"histogram">>(
  name: N,
): (value: number, labels: LabelsOf<N>) => void {
  const distributions = distributionsOf(name);
  const { bounds } = catalogue[name];
  return (value, labels) => measure(distributions.at(labels), bounds, value);
}

/**
 * Has a gauge, or a counter that is kept elsewhere, looked at with every look at the metrics, until
 * disposed.
 */
export function observe<N extends MetricName<"gauge" | "counter">>(
  name: N,
  look: Observe<N>,
): Disposable {
  const { kind } = catalogue[name];
  const options = optionsOf(catalogue[name]);
  const instrument =
    kind === "counter"
      ? meter.createObservableCounter(exposedName(name), options)
      : meter.createObservableGauge(exposedName(name), options);
  let seen: readonly Observation<N>[] = [];
  const callback: Parameters<typeof instrument.addCallback>[0] = async (result) => {
    // A database that is away must not cost the other metrics; and an old value would pass for the
    // one of now.
    seen = await Promise.try(look).catch(() =>
      seen.map(({ labels }) => ({ value: Number.NaN, labels })),
    );
    for (const { value, labels } of seen) result.observe(value, attributesOf(labels));
  };
  instrument.addCallback(callback);
  return { [Symbol.dispose]: () => instrument.removeCallback(callback) };
}

function attributesOf<N extends MetricName>(labels: LabelsOf<N>): Attributes {
  return labels;
}

function optionsOf({ unit, help }: MetricDefinition) {
  return { unit, description: help, valueType: ValueType.DOUBLE };
}
