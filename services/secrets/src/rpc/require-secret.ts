import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Scope } from "../store/deletion.ts";
import { type StoredSecret, findSecret } from "../store/secrets.ts";

/**
 * Returns a secret of the vault that a change is about, a living one unless a scope is given.
 * NOT_FOUND without one.
 */
export async function requireSecret(
  tx: Tx,
  vaultId: string,
  secretId: string,
  scope?: Scope,
): Promise<StoredSecret> {
  const secret = await findSecret(tx, vaultId, { secretId }, scope);
  if (!secret) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  return secret;
}
