import { type SpanContext, TraceFlags } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";

/** The header in which a trace travels (W3C Trace Context). */
export const traceparentHeader = "traceparent";

/**
 * Reads a traceparent; undefined for anything but exactly one that holds. One that was sent twice
 * does not: it is joined.
 */
export function readTraceparent(
  header: string | readonly string[] | null | undefined,
): SpanContext | undefined {
  if (typeof header !== "string") return undefined;
  const parsed = parseTraceParent(header);
  return parsed ? { ...parsed, isRemote: true } : undefined;
}

/**
 * Writes a traceparent. Nothing but the ids and the sampled flag passes on: no trace state, no
 * baggage.
 */
export function writeTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
}
