import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
const longestMs = 5_000;
const shortestMs = 1_000;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Returns the milliseconds after which a client is answered: its own limit from
 * `connect-timeout-ms` or `grpc-timeout`, 1 second at least and 5 at most. A malformed timeout is
 * ignored.
 *
 * Security: these headers are not signed, and anyone can send them. They end the wait only: the
 * work goes on within our own time (`withinClientsTime`), or a client could have work begun and
 * dropped thousands of times per second.
 */
export function timeoutOf(headers: Headers): number {
  const connect = /^(\d{1,10})$/.exec(String(headers["connect-timeout-ms"]))?.[1];
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(String(headers["grpc-timeout"])) ?? [];
  const givenMs =
    amount === undefined ? Number(connect ?? longestMs) : Number(amount) * (unitsMs[unit] ?? 1);
  return Math.min(Math.max(givenMs, shortestMs), longestMs);
}

/**
 * Waits for work for so many milliseconds, then throws DEPENDENCY_UNAVAILABLE; the work is not
 * ended by that.
 */
export async function withinClientsTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(fail(Reason.DEPENDENCY_UNAVAILABLE)), timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
