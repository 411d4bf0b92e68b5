import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { toSallyportError } from "./errors.ts";
import type { KeysetKeeper } from "./keyset-keeper.ts";
import type { TrustedKeys } from "./keyset.ts";

/**
 * Seals a value to the keyset's key and sends it. A refused one is sealed and sent once more when
 * there is a newer key: a client that made no request since a rotation seals to a key that is no
 * longer in use.
 */
export async function sendSealed<V, T>(
  { current, fetch }: Pick<KeysetKeeper, "current" | "fetch">,
  seal: (keys: TrustedKeys) => Promise<V>,
  send: (value: V) => Promise<T>,
): Promise<T> {
  const keys = await current();
  const value = await seal(keys);
  try {
    return await send(value);
  } catch (error) {
    const { reason, metadata } = toSallyportError(error);
    if (reason !== "FIELD_INVALID" || metadata["field"] !== "value") throw error;
    const newer = await fetch();
    const [before, after] = [keys, newer].map((known) => known.preferred(KeyUse.SEALING).keyId);
    if (before === after) throw error;
    return send(await seal(newer));
  }
}
