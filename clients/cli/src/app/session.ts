import type { Sallyport } from "@sallyport/client";
import type { Identity, Reader } from "@sallyport/client/reading";
import { version } from "@sallyport/client/version";

/** The command line's name in records. */
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

/** Options that every connection of a command shares. */
export type CallOptions = {
  readonly userAgent: string;
  readonly signal: AbortSignal;
  readonly onClockSet: (correctionMs: number) => void;
};
