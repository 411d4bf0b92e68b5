import { type FollowedFile, followFile } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { type Trust, loadTrust } from "./trust.ts";

/**
 * The source of a process's keyset: a file that is followed, or, in tests, one that never changes.
 */
export type KeysetSource = string | Uint8Array;

/** The options of following a keyset. */
export type FollowTrustOptions = {
  readonly keyset: KeysetSource;
  readonly rootFingerprint: string;
  readonly clock: () => number;
  readonly logger: Logger;
  readonly intervalMs?: number;
};

/** The deployment's public keys as the newest keyset has them. */
export type FollowedTrust = Trust &
  Disposable & {
    /**
     * The epoch to tell clients of: of a keyset that has been in use for a minute, so that the
     * gateway, which may take it up a few seconds later than this process, can give it to those who
     * then ask.
     */
    readonly announcedEpoch: number;
    /**
     * Has every later keyset pass this check, too: the process could not work with another. Throws
     * as it does now.
     */
    readonly demand: (check: (trust: Trust) => void) => void;
    /** Rejects with a sentence while the keyset or its signer is about to end. */
    readonly checkEnd: () => Promise<void>;
  };

const announceAfterMs = 60_000;
const dayMs = 86_400_000;
const keysetWarningMs = 2 * dayMs;
const signerWarningMs = 60 * dayMs;

/** The path of the keyset file; it is read, and followed, when the process starts. */
export function keysetFile(variable: string): {
  variable: string;
  read: (value: string) => KeysetSource;
} {
  return { variable, read: (value) => value };
}

/**
 * Loads the keyset and takes up every newer one while the process runs. A keyset that does not
 * verify, or whose epoch does not grow, is logged as refused, and the one before goes on until its
 * end. Throws when the first does not hold.
 */
export async function followTrust(options: FollowTrustOptions): Promise<FollowedTrust> {
  const { keyset, clock, logger } = options;
  const checks: Check[] = [];
  const read = (bytes: Uint8Array, current?: Known): Known => {
    const trust = loadTrust(
      bytes,
      options.rootFingerprint,
      clock(),
      current ? current.epoch + 1 : 1,
    );
    for (const check of checks) check(trust);
    if (current) logger.info({ epoch: trust.epoch }, "a new keyset is in use");
    const announcedFromMs = current ? clock() + announceAfterMs : 0;
    return { ...trust, announcedFromMs, formerEpoch: current?.epoch ?? 0 };
  };
  const followed: FollowedFile<Known> =
    typeof keyset === "string"
      ? await followFile({
          file: keyset,
          read,
          onRefused: (err) =>
            logger.error({ err }, "the new keyset is refused: the one before stays in use"),
          ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
        })
      : { current: read(keyset), [Symbol.dispose]: () => undefined };
  return trustOf(followed, clock, checks);
}

type Check = (trust: Trust) => void;

/** A keyset, and from when on its epoch is announced. */
type Known = Trust & { readonly announcedFromMs: number; readonly formerEpoch: number };

// Every look is at the newest keyset: what holds on to a trust never holds on to a keyset.
function trustOf(
  followed: FollowedFile<Known>,
  clock: () => number,
  checks: Check[],
): FollowedTrust {
  return {
    get keyset() {
      return followed.current.keyset;
    },
    get epoch() {
      return followed.current.epoch;
    },
    get announcedEpoch() {
      const { epoch, formerEpoch, announcedFromMs } = followed.current;
      return clock() >= announcedFromMs ? epoch : formerEpoch;
    },
    get notAfterMs() {
      return followed.current.notAfterMs;
    },
    get signerNotAfterMs() {
      return followed.current.signerNotAfterMs;
    },
    answerKey: (owner, keyId) => followed.current.answerKey(owner, keyId),
    publicKey: (use, keyId) => followed.current.publicKey(use, keyId),
    preferred: (use) => followed.current.preferred(use),
    preferredAnswer: (owner) => followed.current.preferredAnswer(owner),
    demand(check) {
      check(followed.current);
      checks.push(check);
    },
    async checkEnd() {
      const { notAfterMs, signerNotAfterMs } = followed.current;
      if (clock() + signerWarningMs >= signerNotAfterMs)
        throw new Error(
          'the signer of keysets ends in less than 60 days: run "sallyport keyset sign"',
        );
      if (clock() + keysetWarningMs >= notAfterMs)
        throw new Error('the keyset ends in less than 2 days: run "sallyport keyset renew"');
    },
    [Symbol.dispose]: () => followed[Symbol.dispose](),
  };
}
