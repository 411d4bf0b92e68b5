import { setTimeout as sleep } from "node:timers/promises";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { counting, watched } from "./delivery.ts";
import { type Logger, createLogger } from "./logger.ts";
import { observeProcess } from "./process-metrics.ts";
import { deciding, following } from "./sampler.ts";
import { useTracing } from "./span.ts";

/** The options of the telemetry of a process. */
export type TelemetryOptions = {
  /** The process, such as "gateway"; in spans it is "sallyport-gateway". */
  readonly service: string;
  /** The collector's address for OTLP over HTTP, without a path; absent, there are no traces. */
  readonly otlpUrl: string | undefined;
  /**
   * The share of requests that are traced, 0 to 1. Only for the process where traces begin; the
   * others follow it.
   */
  readonly traceRatio?: number;
  readonly logLevel?: string | undefined;
  /** The logger for a collector that is away; by default a logger of the service. */
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
 * Starts tracing, where there is a collector, and the metrics of the process itself; there is one
 * of it in a process. Disposing sends what is left, for 3.5 seconds at most.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<AsyncDisposable> {
  const observed = observeProcess();
  const tracing =
    options.otlpUrl === undefined ? undefined : await startTracing(options.otlpUrl, options);
  return {
    async [Symbol.asyncDispose]() {
      observed[Symbol.dispose]();
      await tracing?.[Symbol.asyncDispose]();
    },
  };
}

async function startTracing(
  otlpUrl: string,
  {
    service,
    traceRatio,
    logLevel,
    logger = createLogger({ service, level: logLevel }),
  }: TelemetryOptions,
): Promise<AsyncDisposable> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": `sallyport-${service}`,
      "service.namespace": "sallyport",
    }),
    sampler: traceRatio === undefined ? following() : deciding(traceRatio),
    spanLimits: limits,
    spanProcessors: [counting(), await processorOf(otlpUrl, logger)],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  useTracing({ tracer: provider.getTracer("sallyport"), begins: traceRatio !== undefined });
  return {
    async [Symbol.asyncDispose]() {
      useTracing(undefined);
      await Promise.race([provider.shutdown(), sleep(flushMs, undefined, { ref: false })]);
      context.disable();
    },
  };
}

// Loaded only where there is somewhere to send to: it takes as long to load as the rest.
async function processorOf(otlpUrl: string, logger: Logger): Promise<BatchSpanProcessor> {
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  const exporter = new OTLPTraceExporter({
    url: `${otlpUrl}/v1/traces`,
    timeoutMillis: sendMs,
    httpAgentOptions: { keepAlive: true },
  });
  return new BatchSpanProcessor({
    exporter: watched(exporter, logger),
    scheduledDelayMillis: 1_000,
  });
}
