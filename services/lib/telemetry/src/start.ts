import { setTimeout as sleep } from "node:timers/promises";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type Sampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { counting, watched } from "./delivery.ts";
import { type Logger, createLogger } from "./logger.ts";
import { observeProcess } from "./process-metrics.ts";
import { deciding, following, never } from "./sampler.ts";
import { useTracer } from "./span.ts";

/** What the telemetry of a process is told. */
export type TelemetryOptions = {
  /** The process, such as "gateway"; in spans it is "sallyport-gateway". */
  readonly service: string;
  /** The collector's address for OTLP over HTTP, without a path; absent, nothing is recorded. */
  readonly otlpUrl: string | undefined;
  /** How many of all requests are traced, 0 to 1. Only for the process where traces begin; the others follow it. */
  readonly traceRatio?: number;
  readonly logLevel?: string | undefined;
  /** Where a collector that is away is told of; by default a logger of the service. */
  readonly logger?: Logger;
};

const sendMs = 3_000;
const flushMs = 3_500;
const limits = {
  attributeCountLimit: 16,
  attributeValueLengthLimit: 256,
  linkCountLimit: 0,
  eventCountLimit: 0,
};

/**
 * Starts tracing and the metrics of the process itself; there is one of it in a process. Also without a collector a
 * request has a trace id: it is in every log line and goes from process to process. Disposing sends what is left, for 3.5
 * seconds at most.
 */
export async function startTelemetry({
  service,
  otlpUrl,
  traceRatio,
  logLevel,
  logger = createLogger({ service, level: logLevel }),
}: TelemetryOptions): Promise<AsyncDisposable> {
  const observed = observeProcess();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": `sallyport-${service}`,
      "service.namespace": "sallyport",
    }),
    sampler: samplerOf(otlpUrl, traceRatio),
    spanLimits: limits,
    spanProcessors: otlpUrl === undefined ? [] : [counting(), await processorOf(otlpUrl, logger)],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  useTracer(provider.getTracer("sallyport"));
  return {
    async [Symbol.asyncDispose]() {
      useTracer(undefined);
      observed[Symbol.dispose]();
      await Promise.race([provider.shutdown(), sleep(flushMs, undefined, { ref: false })]);
      context.disable();
    },
  };
}

function samplerOf(otlpUrl: string | undefined, traceRatio: number | undefined): Sampler {
  if (otlpUrl === undefined) return never();
  return traceRatio === undefined ? following() : deciding(traceRatio);
}

// Loaded only where there is somewhere to send to: it takes as long to load as the rest.
async function processorOf(otlpUrl: string, logger: Logger): Promise<BatchSpanProcessor> {
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  const exporter = new OTLPTraceExporter({
    url: `${otlpUrl}/v1/traces`,
    timeoutMillis: sendMs,
    httpAgentOptions: { keepAlive: true },
  });
  return new BatchSpanProcessor({ exporter: watched(exporter, logger), scheduledDelayMillis: 1_000 });
}
