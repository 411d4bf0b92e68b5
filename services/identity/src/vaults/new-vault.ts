import type { Tx } from "@sallyport/postgres";
import { newId } from "@sallyport/proto/ids";
import { type LoginCode, insertLoginCode } from "../login-codes/store.ts";
import { type Vault, insertVault } from "./store.ts";

/** Adds a vault of that name. */
export async function addVault(tx: Tx, name: string, now: Date): Promise<Vault> {
  const vault = { vaultId: newId("vlt"), name, createdAt: now };
  await insertVault(tx, vault);
  return vault;
}

/** Adds a login code that lets an owner into a vault and that no user of it made. */
export function addOwnerCode(
  tx: Tx,
  vaultId: string,
  keySha256: Uint8Array,
  now: Date,
  lifetimeMs: number,
): Promise<LoginCode> {
  return insertLoginCode(tx, {
    codeId: newId("tok"),
    vaultId,
    keySha256,
    role: "owner",
    userId: null,
    createdBy: null,
    createdByKey: null,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifetimeMs),
  });
}
