import { type KeyFileEntry, type KeySource, keysOf, readKeyBytes } from "@sallyport/config";
import type { AnswerOwner } from "@sallyport/proto/signing";
import { type FollowedFile, followFile } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { type AnswerKey, pickAnswerKey } from "./answer.ts";
import type { FollowedTrust } from "./followed-trust.ts";
import type { Trust } from "./trust.ts";

type Keys = readonly KeyFileEntry[];

/** The options of following keys; `check` may refuse keys that it could not work with. */
export type FollowKeysOptions = {
  readonly logger: Logger;
  readonly check?: (keys: Keys) => void;
  readonly intervalMs?: number;
};

/**
 * The key to sign with now. To be asked for at every use: what holds on to a key misses its
 * successor.
 */
export type FollowedSigner<K> = Disposable & { readonly key: () => K };

/**
 * Loads the keys of a process, the newest first, and takes up every change of their file while it
 * runs. A file that does not parse, that others may read or that `check` refuses is logged, and the
 * keys before stay in use. Throws when the first are refused.
 */
export async function followKeys(
  source: KeySource,
  { logger, check, intervalMs }: FollowKeysOptions,
): Promise<FollowedFile<Keys>> {
  if (!("file" in source)) {
    check?.(source);
    return { current: source, [Symbol.dispose]: () => undefined };
  }
  const { variable, file } = source;
  return followFile<Keys>({
    file,
    load: () => readKeyBytes(variable, file),
    read(content, current) {
      const keys = keysOf(variable, content);
      check?.(keys);
      if (current) logger.info({ setting: variable, key_ids: idsOf(keys) }, "new keys are in use");
      return keys;
    },
    onRefused: (err) =>
      logger.error(
        { err, setting: variable },
        "the new keys are refused: the ones before stay in use",
      ),
    ...(intervalMs === undefined ? {} : { intervalMs }),
  });
}

/**
 * Follows the keys of a process together with the keyset that names them: `pick` chooses the one to
 * sign with and throws when there is none, which refuses the change, of the file or of the keyset,
 * that left none.
 */
export async function followSigner<K>(
  source: KeySource,
  pick: (keys: Keys, trust: Trust) => K,
  { trust, ...options }: Omit<FollowKeysOptions, "check"> & { readonly trust: FollowedTrust },
): Promise<FollowedSigner<K>> {
  const check = (candidate: Keys): void => void pick(candidate, trust);
  const keys = await followKeys(source, { ...options, check });
  trust.demand((candidate) => void pick(keys.current, candidate));
  return { key: () => pick(keys.current, trust), [Symbol.dispose]: () => keys[Symbol.dispose]() };
}

/**
 * Follows the key with which an owner signs its answers (`pickAnswerKey`), as followSigner does.
 */
export function followAnswerKey(
  source: KeySource,
  owner: AnswerOwner,
  options: Parameters<typeof followSigner>[2],
): Promise<FollowedSigner<AnswerKey>> {
  return followSigner(source, (keys, trust) => pickAnswerKey(keys, owner, trust), options);
}

function idsOf(keys: Keys): string {
  return keys.map(({ keyId }) => keyId).join(" ");
}
