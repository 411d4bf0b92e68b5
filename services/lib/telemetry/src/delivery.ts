import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Logger } from "./logger.ts";
import { counter } from "./metrics.ts";

const count = counter("sallyport.trace.spans");

/**
 * Counts the spans that were made; what was made and neither sent nor lost found the queue
 * full.
 */
export function counting(): SpanProcessor {
  for (const outcome of ["made", "sent", "lost"]) count({ outcome }, 0);
  return {
    onStart: () => undefined,
    onEnd: () => count({ outcome: "made" }),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

/**
 * Counts what the collector took and what it did not, and logs when it goes away and when it is
 * back. Spans that were not taken are lost: they are not worth a byte of memory more.
 */
export function watched(
  exporter: SpanExporter,
  logger: Pick<Logger, "info" | "warn">,
): SpanExporter {
  let away = false;
  const note = (spans: number, { code, error }: ExportResult): void => {
    const taken = code === ExportResultCode.SUCCESS;
    count({ outcome: taken ? "sent" : "lost" }, spans);
    if (taken && away) logger.info("the collector takes spans again");
    if (!taken && !away)
      logger.warn({ err: error }, "spans are lost: the collector does not take them");
    away = !taken;
  };
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        note(spans.length, result);
        // Told as a success: the loss is counted here, and the processor would only speak of it
        // elsewhere.
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
