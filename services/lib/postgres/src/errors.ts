import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { DatabaseError } from "pg";

// SQLSTATE classes and codes under which the statement was fine and the server could not run it
// now.
// connection, resources, operator intervention and timeouts
const unavailableClasses = ["08", "53", "57"];
const unavailableCodes: ReadonlySet<string> = new Set([
  "25006", // read-only: a failover has made this server a standby
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available
]);

/**
 * Returns what to throw for an error of the driver: Failure DEPENDENCY_UNAVAILABLE, with the error
 * as cause, for a lost or refused connection, a timeout, or a conflict that another try resolves;
 * any other error as it is. After a lost connection it is unknown whether a transaction was
 * committed.
 */
export function translated(error: unknown): unknown {
  return isUnavailable(error) ? fail(Reason.DEPENDENCY_UNAVAILABLE, {}, error) : error;
}

/**
 * Says whether an error is a violation of a unique constraint: of that one, or of any if none is
 * named.
 */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!(error instanceof DatabaseError) || error.code !== "23505") return false;
  return constraint === undefined || error.constraint === constraint;
}

// The driver gives its own faults no type: a plain Error, with a system code or one of these
// sentences.
const driverSentences = [
  "Connection terminated",
  "timeout exceeded",
  "timeout expired",
  "Query read timeout",
  "Client was closed",
  "Client has encountered a connection error",
  "Cannot use a pool after",
].map((sentence) => sentence.toLowerCase());

function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    const { code = "" } = error;
    return unavailableClasses.includes(code.slice(0, 2)) || unavailableCodes.has(code);
  }
  if (!(error instanceof Error)) return false;
  if ("syscall" in error || "errno" in error) return true;
  const message = error.message.toLowerCase();
  return driverSentences.some((sentence) => message.startsWith(sentence));
}
