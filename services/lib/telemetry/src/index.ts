/**
 * Logs, spans and metrics of a process, each from a closed list of names. It exists so that an
 * operator can see what happens without seeing anything secret. It promises that a name, id or
 * address of a principal or secret is in no metric or span, and that errors are logged without the
 * fields in which drivers keep rows. It must never export what its catalogue does not name.
 */
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
