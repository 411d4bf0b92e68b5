import type { Sallyport } from "@sallyport/client";
import { type Identity, type Reader, SallyportError, openReader, retrying } from "@sallyport/client/reading";
import { version } from "@sallyport/client/version";
import type { Progress } from "./terminal/progress.ts";
import { durationText } from "./terminal/time.ts";
import { type Choice, chooseIdentity } from "./vaults/choose.ts";

/** How the command line calls itself in records. */
export const userAgent = `sallyport-cli/${version}`;

/** Acting as an identity of this computer. Every action gets a client that is closed after it. */
export type Session = {
  /** As a machine, which reads. Tried again while what fails may pass. */
  asMachine<T>(action: (client: Reader, identity: Identity) => Promise<T>): Promise<T>;
  /** As a user, for what changes nothing. Tried again while what fails may pass. */
  asUser<T>(action: (client: Sallyport, identity: Identity) => Promise<T>): Promise<T>;
  /** As a user, for changes: done once, since a change whose answer was lost may have been made. */
  asUserOnce<T>(action: (client: Sallyport, identity: Identity) => Promise<T>): Promise<T>;
  /** As either, the first preferred, for what changes nothing. */
  asAny<T>(
    kinds: readonly Identity["kind"][],
    action: (client: Sallyport, identity: Identity) => Promise<T>,
  ): Promise<T>;
  /** Does what needs no identity yet, such as an enrollment, again while what fails may pass. */
  patiently<T>(where: string, action: (options: CallOptions) => Promise<T>): Promise<T>;
};

/** What every connection of a command has in common. */
export type CallOptions = {
  readonly userAgent: string;
  readonly signal: AbortSignal;
  readonly onClockSet: (correctionMs: number) => void;
};

/** Makes a session; each action has so many milliseconds in all. */
export function createSession(choice: Choice, timeoutMs: number, progress: Progress): Session {
  const callOptions = (): CallOptions => ({
    userAgent,
    signal: AbortSignal.timeout(timeoutMs),
    onClockSet: (ms) =>
      progress.say(
        `this computer's clock is ${durationText(Math.round(Math.abs(ms) / 1000))} ${ms > 0 ? "behind" : "ahead"}: going on by the server's`,
      ),
  });

  async function waiting<T>(
    where: string,
    action: (options: CallOptions) => Promise<T>,
    again: boolean,
  ): Promise<T> {
    const options = callOptions();
    const untilMs = performance.now() + timeoutMs;
    const onWait = ({ message }: SallyportError, delayMs: number): void =>
      progress.say(`${message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
    const attempt = (): Promise<T> => action(options);
    try {
      return await progress.during(`waiting for ${where}`, () =>
        again ? retrying(attempt, { untilMs, onWait }) : attempt(),
      );
    } catch (error) {
      if (!options.signal.aborted) throw error;
      const seconds = Math.round(timeoutMs / 1000);
      const metadata = { cause: "TIMEOUT" };
      throw new SallyportError("UNREACHABLE", `no answer from ${where} within ${seconds} s`, { metadata });
    }
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
  // What people need is loaded when a person needs it.
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
