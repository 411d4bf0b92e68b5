import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { fail } from "@sallyport/rpc";
import { addOwnerCode, addVault } from "./new-vault.ts";
import { holdSigner } from "../users/acting-owner.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { checkPrintable } from "../printable.ts";

/** The dependencies of making vaults. */
export type CreateVaultParts = {
  readonly outbox: Pick<Outbox, "record">;
  readonly machineCap: number;
  readonly clock: () => number;
};

/** The lifetime of the login code of a new vault's owner: 7 days, in milliseconds. */
export const newVaultCodeLifetimeMs = 7 * 86_400_000;

/**
 * Makes CreateVault. Both vaults have it on record: the one whose owner made it, and the one that
 * was made.
 */
export function createVaultHandler({
  outbox,
  machineCap,
  clock,
}: CreateVaultParts): ForwardHandlers<typeof VaultService>["createVault"] {
  return async (context, { name, ownerCodeKeySha256 }) => {
    checkPrintable("name", name);
    const now = new Date(clock());
    const { vault, code } = await context
      .mutate(async (tx) => {
        const { vaultId: from } = await holdSigner(tx, context);
        const made = await addVault(tx, name, now);
        const ownerCode = await addOwnerCode(
          tx,
          made.vaultId,
          ownerCodeKeySha256,
          now,
          newVaultCodeLifetimeMs,
        );
        const { vaultId } = made;
        const about = { ...actorOf(context), ...originOf(context, now.getTime()) };
        const codeDetail = { role: ownerCode.role, expires_at: ownerCode.expiresAt.toISOString() };
        await outbox.record(
          tx,
          newEvent("identity", "vault.created", {
            ...about,
            vaultId: from,
            subjectId: vaultId,
            detail: { name },
          }),
          newEvent("identity", "vault.created", {
            ...about,
            vaultId,
            subjectId: vaultId,
            detail: { name },
          }),
          newEvent("identity", "login_code.created", {
            ...about,
            vaultId,
            subjectId: ownerCode.codeId,
            detail: codeDetail,
          }),
        );
        return { vault: made, code: ownerCode };
      })
      .catch((error: unknown) => {
        if (!isUniqueViolation(error, "login_codes_key")) throw error;
        throw fail(Reason.ALREADY_EXISTS, { field: "owner_code_key_sha256" }, error);
      });
    const { vaultId, createdAt } = vault;
    return {
      vault: { vaultId, name, createdAt: timestampFromDate(createdAt), machineCap, machines: 0 },
      codeId: code.codeId,
      codeExpiresAt: timestampFromDate(code.expiresAt),
    };
  };
}
