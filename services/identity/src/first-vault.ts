import { toBinary } from "@bufbuild/protobuf";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { type Event, EventSchema } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { ownOrigin } from "./reports.ts";
import { extendLoginCode, insertLoginCode, listLoginCodes, revokeLoginCodes } from "./store/login-codes.ts";
import { storeEvent } from "./store/outbox.ts";
import { hasUsers } from "./store/users.ts";
import { insertVault, lockFirstVault } from "./store/vaults.ts";

/** How long an owner's first login code can be redeemed: 30 days, in milliseconds. */
export const ownerCodeLifetimeMs = 30 * 86_400_000;

/** The vault's name, and the SHA-256 of the public key of the owner's login code. */
export type FirstVault = { readonly name: string; readonly ownerKeySha256: Uint8Array };

/** What there is now; created tells whether this run made the code. */
export type MadeVault = { readonly vaultId: string; readonly codeId: string; readonly created: boolean };

/**
 * Makes the first vault and a login code for its owner, once: repeated with the same key it returns the same code. While
 * nobody has logged in, another key replaces the code; afterwards nothing changes.
 */
export function makeFirstVault(
  database: Pick<Database, "transaction">,
  { name, ownerKeySha256 }: FirstVault,
  nowMs: number,
): Promise<MadeVault> {
  return database.transaction(async (tx) => {
    const vaultId = (await lockFirstVault(tx))?.vaultId ?? (await addVault(tx, name, nowMs));
    const codes = await listLoginCodes(tx, vaultId);
    const mine = codes.find(({ keySha256 }) => Buffer.compare(keySha256, ownerKeySha256) === 0);
    const settled = mine ?? ((await hasUsers(tx, vaultId)) ? codes.at(-1) : undefined);
    if (!settled)
      return { vaultId, codeId: await addOwnerCode(tx, vaultId, ownerKeySha256, nowMs), created: true };
    if (mine) await extendLoginCode(tx, mine.codeId, new Date(nowMs + ownerCodeLifetimeMs));
    return { vaultId, codeId: settled.codeId, created: false };
  });
}

async function addVault(tx: Tx, name: string, nowMs: number): Promise<string> {
  const vaultId = newId("vlt");
  await insertVault(tx, { vaultId, name, createdAt: new Date(nowMs) });
  await record(tx, newEvent("identity", "vault.created", { ...ownOrigin(nowMs), vaultId, detail: { name } }));
  return vaultId;
}

async function addOwnerCode(tx: Tx, vaultId: string, keySha256: Uint8Array, nowMs: number): Promise<string> {
  const codeId = newId("tok");
  const createdAt = new Date(nowMs);
  const expiresAt = new Date(nowMs + ownerCodeLifetimeMs);
  await revokeLoginCodes(tx, vaultId, createdAt);
  await insertLoginCode(tx, { codeId, vaultId, keySha256, role: "owner", createdAt, expiresAt });
  const about = { ...ownOrigin(nowMs), vaultId, subjectId: codeId, detail: { role: "owner" } };
  await record(tx, newEvent("identity", "login_code.created", about));
  return codeId;
}

// The running service delivers it; this command has no way to audit.
async function record(tx: Tx, event: Event): Promise<void> {
  await storeEvent(tx, event.eventId, toBinary(EventSchema, event));
}
