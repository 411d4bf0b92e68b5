import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type KeysetClaims,
  type PublicKey,
  PublicKeySchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { maxKeysetKeys } from "@sallyport/proto/signing";
import { KeysetFileError } from "../files.ts";
import { type KeyStore, keyFileStore, keyringStore, newKeyFor, publicHalf } from "./key-store.ts";
import type { KeysetInHand, RotatingKeys } from "./keys.ts";
import { type DeploymentFiles, type KeySlot, keyUseOf } from "./key-slot.ts";
import { type SlotKey, type Standing, aroundPreferred } from "./standing.ts";

/**
 * Keys whose public halves are in the keyset. Their private halves are in the holder's file, the
 * newest first, before the keyset names them, and until it does no more: which of them signs is the
 * keyset's word alone.
 */
export function publishedKeys(
  slot: KeySlot,
  files: DeploymentFiles,
  keyset: KeysetInHand,
  nowMs: number,
): RotatingKeys {
  const { use } = slot;
  const store =
    use === "sealing" || use === "reply"
      ? keyringStore(files, use)
      : keyFileStore(files.keyFile(slot));
  const mine = (key: PublicKey): boolean => isOf(slot, key);
  /** Signs a keyset with these keys of the slot, in this order. */
  const publish = async (
    order: (known: readonly PublicKey[]) => readonly PublicKey[],
  ): Promise<void> => {
    const { keys } = await keyset.claims();
    await keyset.sign([...order(keys.filter(mine)), ...keys.filter((key) => !mine(key))]);
  };
  const since = timestampFromMs(nowMs);
  return {
    async standing() {
      return standingOf(slot, store, await keyset.claims());
    },
    async make() {
      const { keys } = await keyset.claims();
      if (keys.length >= maxKeysetKeys)
        throw new KeysetFileError(
          `the keyset holds ${keys.length} keys, and no more fit: finish the rotations that are ` +
            "under way first",
        );
      await store.replace([newKeyFor(slot), ...(await store.read())]);
    },
    async accept({ coming }) {
      const entry = (await store.read()).find(({ keyId }) => keyId === coming?.keyId);
      const keyUse = keyUseOf(slot);
      if (!entry || keyUse === undefined) throw new Error("there is no key to accept");
      const publicKey = publicHalf(slot, entry.key);
      const holder = slot.holder ?? "";
      const added = create(PublicKeySchema, {
        keyId: entry.keyId,
        use: keyUse,
        holder,
        publicKey,
        since,
      });
      await publish(([preferred, ...rest]) => [...(preferred ? [preferred] : []), added, ...rest]);
    },
    async prefer({ preferred, coming }) {
      const moved = [preferred.keyId, coming?.keyId];
      await publish((known) => {
        const placed = known.map((key) => (moved.includes(key.keyId) ? { ...key, since } : key));
        const first = placed.filter(({ keyId }) => keyId === coming?.keyId);
        return [...first, ...placed.filter(({ keyId }) => keyId !== coming?.keyId)];
      });
    },
    async retire({ former }) {
      const gone = new Set(former.map(({ keyId }) => keyId));
      const { keys } = await keyset.claims();
      // The log's public halves stay: what they signed is to be verified for as long as there are
      // records.
      if (use !== "log" && keys.some((key) => mine(key) && gone.has(key.keyId)))
        await publish((known) => known.filter(({ keyId }) => !gone.has(keyId)));
      else await keyset.settle();
      // Security: only now is the private key of no use to anybody.
      const held = await store.read();
      if (held.some(({ keyId }) => gone.has(keyId)))
        await store.replace(held.filter(({ keyId }) => !gone.has(keyId)));
    },
  };
}

async function standingOf(
  slot: KeySlot,
  store: KeyStore,
  { keys }: KeysetClaims,
): Promise<Standing> {
  const published = keys.filter((key) => isOf(slot, key));
  const [first] = published;
  if (!first) throw new KeysetFileError("the keyset has no such key");
  const held = await store.read();
  for (const { keyId, key } of held) {
    const named = published.find((candidate) => candidate.keyId === keyId);
    if (named && Buffer.compare(named.publicKey, publicHalf(slot, key)) !== 0)
      throw new KeysetFileError(
        `${store.file} and the keyset have different keys under the id ${keyId}: put the file ` +
          "back from a copy",
      );
  }
  const ids = held.map(({ keyId }) => keyId);
  const order = { slot, file: store.file, keys: ids, preferred: first.keyId };
  const { newer, older } = aroundPreferred(order);
  const placed = (keyId: string): SlotKey => ({ keyId, sinceMs: sinceOf(published, keyId) });
  const others = published.slice(1).map(({ keyId }) => keyId);
  const unheld = others.filter((keyId) => !ids.includes(keyId)).map(placed);
  const stays = slot.use === "log";
  return {
    slot,
    preferred: placed(first.keyId),
    coming:
      newer === undefined ? undefined : { ...placed(newer), accepted: others.includes(newer) },
    former: [...older.map(placed), ...(stays ? [] : unheld)],
    kept: stays ? unheld : [],
  };
}

function isOf(slot: KeySlot, { use, holder }: PublicKey): boolean {
  return use === keyUseOf(slot) && holder === (slot.holder ?? "");
}

function sinceOf(keys: readonly PublicKey[], keyId: string): number {
  const { since } = keys.find((key) => key.keyId === keyId) ?? {};
  return since ? timestampMs(since) : 0;
}
