import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardHandlers } from "@sallyport/forward";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { fail } from "@sallyport/rpc";
import { signerOf } from "../audit-fields.ts";
import { countLiving } from "../machines/list-store.ts";
import { findVault } from "./store.ts";

/** The dependencies of describing vaults. */
export type GetVaultParts = {
  readonly database: Pick<Database, "query">;
  readonly machineCap: number;
  readonly clock: () => number;
};

/** Makes GetVault. */
export function createGetVault({
  database,
  machineCap,
  clock,
}: GetVaultParts): ForwardHandlers<typeof VaultService>["getVault"] {
  return async (context) => {
    const { vaultId } = signerOf(context);
    const [vault, machines] = await Promise.all([
      findVault(database, vaultId),
      countLiving(database, vaultId, new Date(clock())),
    ]);
    if (!vault)
      throw fail(Reason.INTERNAL, {}, new Error("a credential names a vault that does not exist"));
    const { name, createdAt } = vault;
    return {
      vault: { vaultId, name, createdAt: timestampFromDate(createdAt), machineCap, machines },
    };
  };
}
