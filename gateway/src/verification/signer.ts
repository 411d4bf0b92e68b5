import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  Credential,
  CredentialClaims,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { parseKeyId } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";
import { newKeyPaths } from "../forwarding/routes.ts";
import type { KeyCache, LookUpAllowance } from "./key-cache.ts";

/**
 * The key that must have signed a request, its principal, and the refusal of a principal that may
 * not call now.
 */
export type Signer = {
  readonly publicKey: Uint8Array;
  readonly refusal: Reason;
  /** Absent for a key that is not enrolled yet. */
  readonly principal:
    | { readonly credential: Credential; readonly claims: CredentialClaims }
    | undefined;
};

/** The key that a keyid names: one that identity may know, or a new one that spells itself out. */
export type NamedKey = { readonly keyId: string; readonly newKey: Uint8Array | undefined };

/** Reads a keyid; REQUEST_REJECTED for a new key anywhere but at the methods that need one. */
export function namedKeyOf(keyId: string, path: string): NamedKey {
  const named = parseKeyId(keyId);
  const newKey = named.kind === "newKey" ? named.publicKey : undefined;
  if (newKey && !newKeyPaths.has(path)) throw rejected("the key is not enrolled");
  return { keyId, newKey };
}

/** Limits of unauthenticated callers: both throw RATE_LIMITED when their address has used it up. */
export type StrangerLimits = {
  /** Takes leave to try a new key, which costs its owner a look-up. */
  readonly tryNewKey: () => void;
  readonly lookUps: LookUpAllowance;
};

/**
 * Finds the key: identity's answer for its keyid, or the new key itself, within the limits of
 * strangers. REQUEST_REJECTED for an unknown keyid.
 */
export async function findSigner(
  { keyId, newKey }: NamedKey,
  keys: Pick<KeyCache, "find">,
  { tryNewKey, lookUps }: StrangerLimits,
): Promise<Signer> {
  if (newKey) {
    tryNewKey();
    return { publicKey: newKey, refusal: Reason.UNSPECIFIED, principal: undefined };
  }
  const known = await keys.find(keyId, lookUps);
  if (!known) throw rejected("the keyid is unknown");
  const { resolved, claims } = known;
  const principal =
    resolved.credential && claims ? { credential: resolved.credential, claims } : undefined;
  const refusal = principal ? Reason.UNSPECIFIED : resolved.refusal || Reason.MACHINE_DISABLED;
  return { publicKey: resolved.publicKey, refusal, principal };
}

function rejected(why: string): Error {
  return fail(Reason.REQUEST_REJECTED, {}, new Error(why));
}
