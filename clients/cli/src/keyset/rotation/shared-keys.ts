import { KeysetFileError } from "../files.ts";
import { keyFileStore, keyringStore, newKeyFor } from "./key-store.ts";
import type { RotatingKeys } from "./keys.ts";
import type { DeploymentFiles, KeySlot } from "./key-slot.ts";
import { type SlotKey, aroundPreferred } from "./standing.ts";

/**
 * Keys that two processes share: crypto takes every one of its keyring, the newest first, and the
 * other process vouches with the first of its file. A key's time of that is the time when its
 * file was replaced, which a copy put back can only make later.
 */
export function sharedKeys(
  slot: KeySlot,
  use: "permit" | "slip",
  files: DeploymentFiles,
): RotatingKeys {
  const [keyring, signing] = [keyringStore(files, use), keyFileStore(files.keyFile(slot))];
  const make = async (): Promise<void> =>
    keyring.replace([newKeyFor(slot), ...(await keyring.read())]);
  return {
    make,
    // The keys in the keyring are accepted.
    accept: () => Promise.resolve(),
    async standing() {
      const [taken, vouching] = [await keyring.read(), await signing.read()];
      const [first, ...behind] = vouching;
      if (!first) throw new KeysetFileError(`${signing.file} holds no key`);
      for (const { keyId, key } of vouching) {
        const other = taken.find((candidate) => candidate.keyId === keyId);
        if (other && Buffer.compare(other.key, key) !== 0)
          throw new KeysetFileError(
            `${signing.file} and the keyring have different keys under the id ${keyId}: put the ` +
              "file back from a copy",
          );
      }
      const ids = taken.map(({ keyId }) => keyId);
      const order = { slot, file: keyring.file, keys: ids, preferred: first.keyId };
      const { newer, older } = aroundPreferred(order);
      const [takenMs, vouchingMs] = [await keyring.changedMs(), await signing.changedMs()];
      const placed = (keyId: string): SlotKey => ({ keyId, sinceMs: vouchingMs });
      const former = new Set([...older, ...behind.map(({ keyId }) => keyId)]);
      return {
        slot,
        preferred: placed(first.keyId),
        coming:
          newer === undefined ? undefined : { keyId: newer, sinceMs: takenMs, accepted: true },
        former: [...former].map(placed),
        kept: [],
      };
    },
    async prefer({ coming }) {
      const next = (await keyring.read()).find(({ keyId }) => keyId === coming?.keyId);
      if (!next) throw new Error("there is no key to prefer");
      await signing.replace([next, ...(await signing.read())]);
    },
    async retire({ former }) {
      const gone = new Set(former.map(({ keyId }) => keyId));
      // Security: crypto first, for the other process vouches with another key already.
      for (const store of [keyring, signing]) {
        const held = await store.read();
        if (held.some(({ keyId }) => gone.has(keyId)))
          await store.replace(held.filter(({ keyId }) => !gone.has(keyId)));
      }
    },
  };
}
