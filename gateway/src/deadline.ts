const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
const longestMs = 5_000;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The milliseconds that a request may take: what the client allows by `connect-timeout-ms` or `grpc-timeout`, 5 seconds
 * at most. What is not a timeout is not heeded: the header is not signed, and it cannot do more than shorten.
 */
export function timeoutOf(headers: Headers): number {
  const connect = /^(\d{1,10})$/.exec(String(headers["connect-timeout-ms"]))?.[1];
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(String(headers["grpc-timeout"])) ?? [];
  const givenMs = amount === undefined ? Number(connect ?? longestMs) : Number(amount) * (unitsMs[unit] ?? 1);
  return Math.min(givenMs, longestMs);
}
