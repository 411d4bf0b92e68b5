export {
  catalogue,
  type LabelsOf,
  type MetricDefinition,
  type MetricName,
  prometheusName,
} from "./catalogue.ts";
export { createLogger, type Logger } from "./logger.ts";
export { counter, exposeMetrics, histogram, type Observation, observe } from "./metrics.ts";
export {
  currentPlace,
  currentSpan,
  currentTraceparent,
  inCallersTrace,
  inSpan,
  noSpan,
  type OpenSpan,
  outsideOfTraces,
  type SpanAttributes,
  type SpanStart,
  type TracePlace,
} from "./span.ts";
export { startTelemetry, type TelemetryOptions } from "./start.ts";
export { traceparentHeader } from "./traceparent.ts";
