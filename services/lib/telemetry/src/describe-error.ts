/** The fields of an error in a log line. */
export type DescribedError = {
  readonly type: string;
  readonly message: string;
  readonly code?: string | number;
  readonly constraint?: string;
  readonly stack?: string;
  readonly cause?: DescribedError;
};

const maxDepth = 6;

/**
 * Returns type, message, code and stack of an error and of its causes, six deep at most.
 *
 * Security: fields are picked, not dropped; `detail` of a database error holds a row, `details` of
 * an RPC error holds messages, and neither may reach a log.
 */
export function describeError(error: unknown, depth = 1): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(typeof constraint === "string" ? { constraint } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= maxDepth
      ? {}
      : { cause: describeError(error.cause, depth + 1) }),
  };
}
