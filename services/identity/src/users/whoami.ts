import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Principal } from "@sallyport/evidence";
import type { ForwardHandlers } from "@sallyport/forward";
import type { Database, Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { endOf } from "../devices/device-key.ts";
import { signerOf } from "../audit-fields.ts";
import { findMachine } from "../machines/store.ts";
import { findUserKey } from "../devices/store.ts";
import { findVault } from "../vaults/store.ts";

type Parts = { readonly database: Pick<Database, "query"> };

/** Makes WhoAmI. */
export function createWhoAmI({ database }: Parts): ForwardHandlers<typeof UserService>["whoAmI"] {
  return async (context) => {
    const principal = signerOf(context);
    const [bearer, vault] = await Promise.all([
      findBearer(database, principal),
      findVault(database, principal.vaultId),
    ]);
    if (!bearer || !vault)
      throw fail(Reason.INTERNAL, {}, new Error("a credential names who does not exist"));
    return {
      principalId: principal.id,
      kind: principal.kind,
      name: bearer.name,
      vaultId: vault.vaultId,
      vaultName: vault.name,
      role: principal.role,
      expiresAt: timestampFromDate(bearer.expiresAt),
    };
  };
}

async function findBearer(
  db: Tx,
  { id, kind, vaultId, keyId }: Principal,
): Promise<{ readonly name: string; readonly expiresAt: Date } | undefined> {
  if (kind === PrincipalKind.MACHINE) return findMachine(db, vaultId, id);
  const key = await findUserKey(db, keyId);
  return key && { name: key.name, expiresAt: endOf(key) };
}
