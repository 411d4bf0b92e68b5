import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  context,
  trace,
} from "@opentelemetry/api";
import { readTraceparent, writeTraceparent } from "./traceparent.ts";

/**
 * Everything that a span may tell, after OpenTelemetry's conventions. Security: the list is closed.
 * No principal, secret or vault, no header, no body, no statement with its values and no message of
 * an error has a place in it.
 */
export type SpanAttributes = {
  readonly "rpc.system.name"?: "connectrpc";
  /** "package.Service/Method". */
  readonly "rpc.method"?: string;
  readonly "rpc.response.status_code"?: string;
  readonly "error.type"?: string;
  readonly "server.address"?: string;
  readonly "server.port"?: number;
  readonly "db.system.name"?: "postgresql" | "redis";
  readonly "db.operation.name"?: string;
  readonly "db.collection.name"?: string;
  /** "req_…": the id in the client's error and in every log line. */
  readonly "sallyport.request_id"?: string;
  /** The number of records that were committed at once. */
  readonly "sallyport.batch.size"?: number;
};

/** The name of a span, its kind, and the attributes that are known at its start. */
export type SpanStart = {
  readonly name: string;
  readonly kind: "server" | "client" | "internal";
  readonly attributes?: SpanAttributes;
};

/** A span while it is open. */
export type OpenSpan = {
  set(attributes: SpanAttributes): void;
  /** Marks it as failed, without a word more than `set` may say. */
  fail(): void;
};

/** The span of what is in no trace. */
export const noSpan: OpenSpan = { set: () => undefined, fail: () => undefined };

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };

/** The source of the spans of a process, and whether traces begin there. */
export type Tracing = { readonly tracer: Tracer; readonly begins: boolean };

let tracing: Tracing | undefined;

/** Has spans made so; without it there are none, and no trace. */
export function useTracing(next: Tracing | undefined): void {
  tracing = next;
}

/**
 * Runs code as a span, child of the one around it; it ends when the promise settles, as failed when
 * that rejects; whether a "server" failed or its client, it says itself. Where nothing is recorded
 * there is no span but the one with which a trace begins: its ids are for the logs and the next
 * process.
 */
export function inSpan<T>(start: SpanStart, run: (span: OpenSpan) => Promise<T>): Promise<T> {
  if (!tracing) return run(noSpan);
  const around = context.active();
  const sampled = ((trace.getSpanContext(around)?.traceFlags ?? 0) & TraceFlags.SAMPLED) !== 0;
  if (!sampled && !(tracing.begins && start.kind === "server")) return run(noSpan);
  return within(tracing.tracer, start, around, run);
}

async function within<T>(
  tracer: Tracer,
  { name, kind, attributes = {} }: SpanStart,
  around: Context,
  run: (span: OpenSpan) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes }, around);
  try {
    return await context.with(trace.setSpan(around, span), run, undefined, opened(span));
  } catch (error) {
    if (kind !== "server") span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function opened(span: Span): OpenSpan {
  return {
    set: (attributes) => void span.setAttributes(attributes),
    fail: () => void span.setStatus({ code: SpanStatusCode.ERROR }),
  };
}

/** Returns the span around the running code, to tell it more. */
export function currentSpan(): OpenSpan {
  const span = tracing && trace.getSpan(context.active());
  return span?.isRecording() === true ? opened(span) : noSpan;
}

/**
 * Runs code in the trace that a caller's traceparent names; without one that holds, in no trace.
 */
export function inCallersTrace<T>(
  traceparent: string | readonly string[] | null | undefined,
  run: () => T,
): T {
  if (!tracing) return run();
  const caller = readTraceparent(traceparent);
  return context.with(caller ? trace.setSpanContext(ROOT_CONTEXT, caller) : ROOT_CONTEXT, run);
}

/** Returns the traceparent to send along with a call, if there is a trace. */
export function currentTraceparent(): string | undefined {
  if (!tracing) return undefined;
  const spanContext = trace.getSpanContext(context.active());
  return spanContext && trace.isSpanContextValid(spanContext)
    ? writeTraceparent(spanContext)
    : undefined;
}

/** Returns what ties a log line to the running trace; nothing outside of one. */
export function traceIds(): { trace_id?: string; span_id?: string } {
  if (!tracing) return {};
  const spanContext = trace.getSpanContext(context.active());
  if (!spanContext || !trace.isSpanContextValid(spanContext)) return {};
  return { trace_id: spanContext.traceId, span_id: spanContext.spanId };
}

/** A trace context, to return to from work that is done for many calls. */
export type TracePlace = { readonly sampled: boolean; run<T>(step: () => T): T };

/** Captures the active trace context. */
export function currentPlace(): TracePlace {
  const here: Context = context.active();
  return {
    sampled: trace.getSpan(here)?.isRecording() === true,
    run: (step) => context.with(here, step),
  };
}

/** Runs code outside of any trace: what is done for many belongs to none of them. */
export function outsideOfTraces<T>(run: () => T): T {
  return context.with(ROOT_CONTEXT, run);
}
