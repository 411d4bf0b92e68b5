import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Credential, CredentialClaims } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { parseKeyId } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";
import { newKeyPaths } from "../routes.ts";
import type { KeyCache } from "./credentials.ts";

/** Under which key a request must be signed, whose it is, and why that one may not ask now. */
export type Signer = {
  readonly publicKey: Uint8Array;
  readonly refusal: Reason;
  /** Absent for a key that is not enrolled yet. */
  readonly principal: { readonly credential: Credential; readonly claims: CredentialClaims } | undefined;
};

/**
 * Finds the key that a keyid names: identity's answer, or for the two methods that need it a key that spells itself out,
 * after `limitStrangers`. REQUEST_REJECTED for an unknown keyid and for a new key elsewhere.
 */
export async function findSigner(
  keyId: string,
  path: string,
  keys: Pick<KeyCache, "find">,
  limitStrangers: () => void,
): Promise<Signer> {
  const named = parseKeyId(keyId);
  if (named.kind === "newKey") {
    if (!newKeyPaths.has(path)) throw rejected("the key is not enrolled");
    limitStrangers();
    return { publicKey: named.publicKey, refusal: Reason.UNSPECIFIED, principal: undefined };
  }
  const known = await keys.find(keyId);
  if (!known) throw rejected("the keyid is unknown");
  const { resolved, claims } = known;
  const principal = resolved.credential && claims ? { credential: resolved.credential, claims } : undefined;
  const refusal = principal ? Reason.UNSPECIFIED : resolved.refusal || Reason.MACHINE_DISABLED;
  return { publicKey: resolved.publicKey, refusal, principal };
}

function rejected(why: string): Error {
  return fail(Reason.REQUEST_REJECTED, {}, new Error(why));
}
