import type { Sallyport } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import {
  type Identity,
  type Reader,
  openReader,
  retrying,
  toSallyportError,
} from "@sallyport/client/reading";
import { CliError } from "./failure.ts";
import { type CallOptions, type Session, userAgent } from "./session.ts";
import type { Progress } from "../terminal/progress.ts";
import { durationText } from "../terminal/time.ts";
import { type Choice, chooseIdentity } from "../vaults/choose.ts";

/** The session behind createSession: it chooses the identity, connects, waits and tries again. */
export function connectingSession(choice: Choice, timeoutMs: number, progress: Progress): Session {
  const callOptions = (): CallOptions => ({
    userAgent,
    signal: AbortSignal.timeout(timeoutMs),
    onClockSet: (ms) =>
      progress.say(
        `this computer's clock is ${durationText(Math.round(Math.abs(ms) / 1000))} ` +
          `${ms > 0 ? "behind" : "ahead"}: going on by the server's`,
      ),
  });

  async function waiting<T>(
    where: string,
    action: (options: CallOptions) => Promise<T>,
    again: boolean,
  ): Promise<T> {
    const options = callOptions();
    const untilMs = performance.now() + timeoutMs;
    const onWait = (error: SallyportError, delayMs: number): void =>
      progress.say(`${reasonToWait(error)}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
    // An error that the command line itself finds is no failure of the network, and is not retried.
    const attempt = (): Promise<{ readonly done: T } | CliError> =>
      action(options).then(
        (done) => ({ done }),
        (error: unknown) => {
          if (error instanceof CliError) return error;
          throw toSallyportError(error);
        },
      );
    try {
      const result = await progress.during(`waiting for ${where}`, () =>
        again ? retrying(attempt, { untilMs, onWait }) : attempt(),
      );
      if (result instanceof CliError) throw result;
      return result.done;
    } catch (error) {
      const told = options.signal.aborted ? timedOut(where) : error;
      throw again ? told : inDoubt(told);
    }
  }

  function timedOut(where: string): SallyportError {
    const seconds = Math.round(timeoutMs / 1000);
    const metadata = { cause: "TIMEOUT" };
    return new SallyportError("UNREACHABLE", `no answer from ${where} within ${seconds} s`, {
      metadata,
    });
  }

  async function acting<C extends { readonly close: () => void }, T>(
    kinds: readonly Identity["kind"][],
    open: (identity: Identity, options: CallOptions) => Promise<C>,
    action: (client: C, identity: Identity) => Promise<T>,
    again: boolean,
  ): Promise<T> {
    const identity = await chooseIdentity(choice, kinds);
    let client: C | undefined;
    try {
      return await waiting(
        new URL(identity.url).host,
        async (options) => action((client ??= await open(identity, options)), identity),
        again,
      );
    } finally {
      client?.close();
    }
  }
  // The full client, for user commands only, is loaded on demand.
  const openFull = async (identity: Identity, options: CallOptions): Promise<Sallyport> =>
    (await import("@sallyport/client")).openSallyport(identity, "connect", options);
  const openLight = async (identity: Identity, options: CallOptions): Promise<Reader> =>
    openReader(identity, "connect", options);
  return {
    asMachine: (action) => acting(["machine"], openLight, action, true),
    asUser: (action) => acting(["user"], openFull, action, true),
    asUserOnce: (action) => acting(["user"], openFull, action, false),
    asAny: (kinds, action) => acting(kinds, openFull, action, true),
    patiently: (where, action) => waiting(where, action, true),
  };
}

/**
 * Why something is tried again, in words. CLOCK_SKEW with a delay is no word about this computer's
 * clock: after it lost its memory a gateway takes no request that was signed before, so that none
 * is taken twice.
 */
export function reasonToWait({ reason, message }: SallyportError): string {
  return reason === "CLOCK_SKEW" ? "the server has just restarted its memory of requests" : message;
}

// A request that was sent once and not answered may have been executed; not where none can have
// arrived.
const unclear = new Set(["UNREACHABLE", "DEPENDENCY_UNAVAILABLE", "INTERNAL"]);
const neverSent =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$|^ERR_SSL|^PROXY_|CERT|SELF_SIGNED|UNABLE_TO|ISSUER/;

function inDoubt(error: unknown): unknown {
  if (!(error instanceof SallyportError)) return error;
  const { reason, message, metadata, retryAfterMs, vouched, cause } = error;
  if (!unclear.has(reason) || neverSent.test(metadata["cause"] ?? "")) return error;
  const details = { metadata: { ...metadata, done: "unknown" }, vouched, cause };
  return new SallyportError(
    { told: reason },
    message,
    retryAfterMs === undefined ? details : { ...details, retryAfterMs },
  );
}
