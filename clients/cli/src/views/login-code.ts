import { type Identity, type TokenSecret, formatToken } from "@sallyport/client";
import type { LoginCode } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { type ValueOf, nullable, object, text, time } from "../definition/shape.ts";
import { iso } from "./timestamp.ts";
import { momentOf } from "./moment.ts";
import { roleWord } from "./role.ts";
import { wordOr } from "../terminal/word.ts";

const keys = {
  codeId: text("the code's id"),
  state: text("`open`, `redeemed`, `expired` or `revoked`"),
  role: text("the role of whom it lets in"),
  userId: text("the user for whose further device it is; empty when it lets a new user in"),
  createdAt: time("when it was made"),
  createdBy: text("the user who made it; empty when it came with the vault or recovers it"),
  createdByName: text("that user's name"),
  expiresAt: time("when it can no longer be redeemed"),
  revokedAt: nullable(time("when it was revoked; null when not")),
  redeemedBy: text("the keyid of the device that it let in; empty before"),
  redeemedAt: nullable(time("when that was; null before")),
};

/** A login code as --json shows it, without its secret half, which no server has. */
export const loginCodeShape = object(keys);

/** A login code that was made now, with the text that is shown once. */
export const newCodeShape = object({
  code: text("the login code: it is shown this once"),
  next: text("the command that redeems it on the other computer, which asks for it"),
  ...keys,
});

/** A login code. */
export type PlainCode = ValueOf<typeof loginCodeShape>;

/** A login code as --json shows it, from what the server says. */
export function plainCode(code: LoginCode, nowMs: number = Date.now()): PlainCode {
  const { codeId, role, userId, createdBy, createdByName, redeemedBy } = code;
  const expiresAt = iso(code.expiresAt);
  const state = Date.parse(expiresAt) <= nowMs ? "expired" : "open";
  return {
    codeId,
    state: code.redeemedAt ? "redeemed" : code.revokedAt ? "revoked" : state,
    role: roleWord(role),
    userId,
    createdAt: iso(code.createdAt),
    createdBy,
    createdByName,
    expiresAt,
    revokedAt: momentOf(code.revokedAt),
    redeemedBy,
    redeemedAt: momentOf(code.redeemedAt),
  };
}

/** The text of a login code whose secret half was made here. */
export function codeText(
  { vaultId, rootFingerprint }: Pick<Identity, "vaultId" | "rootFingerprint">,
  id: string,
  { seed }: TokenSecret,
): string {
  return formatToken("login", { id, vaultId, rootFingerprint, seed });
}

/**
 * The command that redeems a code on another computer, where no identity says yet where the gateway
 * is.
 *
 * Security: it will be copied into a shell, and the name came from a server once: one that is more
 * than a word is left out.
 */
export function loginCommand(identity: Pick<Identity, "url" | "ca">, name: string): string {
  return `${gatewayOf(identity)} sallyport login --name ${wordOr(name, "NAME")}`;
}

/** The variables that name a gateway where there is no identity yet. */
export function gatewayOf({ url, ca }: Pick<Identity, "url" | "ca">): string {
  return `SALLYPORT_URL=${url}${ca === undefined ? "" : " SALLYPORT_CA=ca.pem"}`;
}
