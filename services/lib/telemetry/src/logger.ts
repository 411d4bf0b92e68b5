import {
  type DestinationStream,
  type Logger as PinoLogger,
  destination,
  pino,
  stdTimeFunctions,
} from "pino";
import { describeError } from "./describe-error.ts";
import { traceIds } from "./span.ts";

/** The logger that every process uses: JSON lines. */
export type Logger = PinoLogger;

/**
 * The service that logs, from which level on ("info" when absent; "silent" for nothing), and where
 * to (stderr when absent).
 */
export type LoggerOptions = {
  readonly service: string;
  readonly level?: string | undefined;
  readonly stream?: DestinationStream;
};

/**
 * Returns a logger of JSON lines with ISO times and level names, and within a trace with its ids.
 * Errors are logged as `err`, with their whole cause chain and without the fields in which drivers
 * keep rows or messages. Throws on an unknown level.
 */
export function createLogger({ service, level = "info", stream }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      mixin: traceIds,
    },
    stream ?? toStderr(),
  );
}

// At its exit a process writes out what waits. A supervisor that died reads it no more, and the
// writing would be tried for ever: the process would stay. (Listening for the end of its channel
// instead would keep every process from ending.)
function toStderr(): DestinationStream {
  const stream = destination({ dest: 2, sync: false });
  const flush = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    // Without a supervisor there is no such property.
    const isOrphan = "connected" in process && !process.connected;
    if (!isOrphan) flush();
  };
  return stream;
}
