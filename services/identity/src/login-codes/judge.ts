import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Verdict, refused, sameBytes } from "../admission/proof.ts";
import { type KeyLife, standingOf } from "../devices/device-key.ts";
import type { LoginCode } from "./store.ts";

/**
 * Returns why a login code admits no device now, or undefined when it does. `redeemer` is the key
 * that redeemed it before: that one gets its user back while it works.
 */
export function judgeLoginCode(
  code: Pick<LoginCode, "revokedAt" | "expiresAt">,
  redeemer: (KeyLife & { readonly publicKey: Uint8Array }) | undefined,
  deviceKey: Uint8Array,
  nowMs: number,
): Verdict | undefined {
  if (code.revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (redeemer) {
    const again =
      sameBytes(redeemer.publicKey, deviceKey) && standingOf(redeemer, nowMs) === "active";
    return again ? undefined : refused(Reason.TOKEN_EXHAUSTED, "exhausted");
  }
  return nowMs < code.expiresAt.getTime() ? undefined : refused(Reason.TOKEN_EXPIRED, "expired");
}
