import { readPrivateBytes } from "@sallyport/config";
import { type FollowedTrust, type Trust, pickPublished } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type KekProvider,
  type Keyring,
  type KeyringEntry,
  openKeyring,
  wipeKeyring,
} from "@sallyport/proto/keyring";
import { type FollowedFile, followFile } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import type { KeyringSource } from "./config.ts";
import { sameBytes } from "./evidence.ts";
import { createSealingKey } from "./hpke.ts";
import type { SealingKeys } from "./seal/seal-value.ts";

/** The dependencies of followKeyring. */
export type FollowKeyringOptions = {
  readonly kek: KekProvider;
  readonly trust: FollowedTrust;
  readonly logger: Logger;
  readonly intervalMs?: number;
};

/**
 * The keys of crypto, each to be asked for at every use: what holds on to a key misses its
 * successor.
 */
export type FollowedKeyring = Disposable & {
  readonly permitKeys: () => readonly KeyringEntry[];
  readonly slipKeys: () => readonly KeyringEntry[];
  readonly sealingKeys: () => SealingKeys;
  /** The key that signs replies now. */
  readonly replyKey: () => KeyringEntry;
};

type Held = { readonly keyring: Keyring; readonly sealingKeys: SealingKeys };

// Longer than any request may take: one that began with a key ends with it.
const wipeAfterMs = 60_000;

/**
 * Opens the keyring and takes up every change of its file while the process runs. A keyring that
 * does not open, that others may read, or whose keys are not those of the keyset is logged as
 * refused, and the one before stays in use. A keyset whose preferred sealing key is not here, or
 * that names no reply key of ours, is refused likewise. Disposing zeroes all keys.
 */
export async function followKeyring(
  source: KeyringSource,
  { kek, trust, logger, intervalMs }: FollowKeyringOptions,
): Promise<FollowedKeyring> {
  const dropped = new Set<Keyring>();
  const wipe = (keyring: Keyring): void => {
    wipeKeyring(keyring);
    dropped.delete(keyring);
  };
  const read = async (content: Uint8Array, former?: Held): Promise<Held> => {
    const keyring = await openKeyring(kek, content);
    try {
      const held = { keyring, sealingKeys: await importSealingKeys(keyring) };
      checkPublished(held, trust);
      if (!former) return held;
      logger.info({ key_ids: idsOf(keyring) }, "a new keyring is in use");
      dropped.add(former.keyring);
      setTimeout(() => wipe(former.keyring), wipeAfterMs).unref();
      return held;
    } catch (error) {
      wipeKeyring(keyring);
      throw error;
    }
  };
  const followed: FollowedFile<Held> =
    typeof source === "string"
      ? await followFile({
          file: source,
          load: readPrivateBytes,
          read,
          onRefused: (err) =>
            logger.error({ err }, "the new keyring is refused: the one before stays in use"),
          ...(intervalMs === undefined ? {} : { intervalMs }),
        })
      : { current: await read(source), [Symbol.dispose]: () => undefined };
  trust.demand((candidate) => checkPublished(followed.current, candidate));
  return {
    permitKeys: () => followed.current.keyring.permit,
    slipKeys: () => followed.current.keyring.slip,
    sealingKeys: () => followed.current.sealingKeys,
    replyKey: () => replyKeyOf(followed.current.keyring, trust),
    [Symbol.dispose]() {
      followed[Symbol.dispose]();
      for (const keyring of [...dropped, followed.current.keyring]) wipe(keyring);
    },
  };
}

function replyKeyOf({ reply }: Keyring, trust: Trust): KeyringEntry {
  const find = (keyId: string): Uint8Array | undefined => trust.publicKey(KeyUse.REPLY, keyId);
  const key = pickPublished(reply, { find, preferred: trust.preferred(KeyUse.REPLY) });
  if (key) return key;
  const ids = reply.map(({ keyId }) => keyId).join(", ");
  throw new Error(
    `the keyset does not have the keyring's reply key ${ids}: renew it with that key`,
  );
}

async function importSealingKeys({ sealing }: Keyring): Promise<SealingKeys> {
  const keys = sealing.map(async ({ keyId, key }) => [keyId, await createSealingKey(key)] as const);
  return new Map(await Promise.all(keys));
}

// Clients refuse every reply by a key that is not in the keyset: better not to start.
function checkPublished({ keyring, sealingKeys }: Held, trust: Trust): void {
  replyKeyOf(keyring, trust);
  const offered = trust.preferred(KeyUse.SEALING);
  const held = sealingKeys.get(offered.keyId)?.publicKey;
  if (!held || !sameBytes(held, offered.publicKey))
    throw new Error(
      `the keyring does not have the keyset's sealing key ${offered.keyId}: check ` +
        "SALLYPORT_KEYRING_FILE",
    );
}

function idsOf(keyring: Keyring): string {
  return Object.values(keyring)
    .flatMap((keys) => keys.map(({ keyId }) => keyId))
    .join(" ");
}
