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
 * The milliseconds after which a client is answered: what it allows by `connect-timeout-ms` or
 * `grpc-timeout`, 1 second at least and 5 at most. What is not a timeout is not heeded.
 *
 * Security: these headers are not signed, and anyone sends them. They end nothing but the wait:
 * what a request set going goes on by our own time (`withinClientsTime`), and a client cannot have
 * work begun and dropped thousands of times a second.
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
