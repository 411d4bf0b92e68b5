import { SallyportError } from "@sallyport/client";
import { FormatError } from "@sallyport/proto/signing";

/** What is wrong with a command line; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const exitCodes: Readonly<Record<string, number>> = {
  REQUEST_REJECTED: 3,
  CLOCK_SKEW: 4,
  MACHINE_EXPIRED: 4,
  MACHINE_DISABLED: 4,
  IDENTITY_MISSING: 4,
  IDENTITY_INVALID: 4,
  ROOT_CHANGED: 4,
  REPLY_UNTRUSTED: 3,
  ROLE_REQUIRED: 3,
  NOT_GRANTED: 3,
  NAME_DANGEROUS: 3,
  TOKEN_EXPIRED: 3,
  TOKEN_EXHAUSTED: 3,
  TOKEN_REVOKED: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 5,
  VERSION_CONFLICT: 5,
  FIELD_INVALID: 2,
  TOO_LARGE: 2,
  RATE_LIMITED: 6,
  DEPENDENCY_UNAVAILABLE: 6,
  UNREACHABLE: 6,
};

/** The exit code of an error: 2 usage, 3 refused, 4 identity, 5 not found or conflict, 6 unavailable, 1 the rest. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof FormatError) return 2;
  return error instanceof SallyportError ? (exitCodes[error.reason] ?? 1) : 1;
}

/** One line for a person: what was wrong and what to do. */
export function explain(error: unknown): string {
  if (error instanceof SallyportError) {
    const metadata = Object.entries(error.metadata).map(([key, value]) => `${key}=${value}`);
    const wait = error.retryAfterMs === undefined ? [] : [`retry after ${error.retryAfterMs} ms`];
    const unreachable =
      error.reason === "UNREACHABLE"
        ? ["check SALLYPORT_URL and SALLYPORT_CA, and that the server runs"]
        : [];
    const details = [error.reason, ...metadata, ...wait, ...unreachable].join(", ");
    return `${error.message} [${details}]`;
  }
  return error instanceof Error ? error.message : String(error);
}
