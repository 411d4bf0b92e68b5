import { toBinary } from "@bufbuild/protobuf";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { addOwnerCode, addVault } from "./new-vault.ts";
import { ownOrigin } from "../audit-fields.ts";
import { allLoginCodes, extendLoginCode, revokeLoginCodes } from "../login-codes/store.ts";
import { storeEvent } from "../outbox-store.ts";
import { hasUsers } from "../users/store.ts";
import { findVault, lockFirstVault } from "./store.ts";

/** The lifetime of an owner's first login code: 30 days, in milliseconds. */
export const ownerCodeLifetimeMs = 30 * 86_400_000;

/** The lifetime of a login code that recovers a vault: a day, in milliseconds. */
export const recoveryCodeLifetimeMs = 86_400_000;

/** The vault's name, and the SHA-256 of the public key of the owner's login code. */
export type FirstVault = { readonly name: string; readonly ownerKeySha256: Uint8Array };

/**
 * The vault without an owner who can act, and the SHA-256 of the public key of a new owner's login
 * code.
 */
export type LostVault = { readonly vaultId: string; readonly ownerKeySha256: Uint8Array };

/**
 * The vault and its code; `created` when this run made the code, `entered` when a user has logged
 * in already.
 */
export type MadeVault = {
  readonly vaultId: string;
  readonly codeId: string;
  readonly created: boolean;
  readonly entered: boolean;
};

type Transactions = Pick<Database, "transaction">;

/**
 * Makes the first vault and a login code for its owner, once: repeated with the same key it returns
 * the same code. While no user has logged in, another key replaces the code; afterwards nothing
 * changes. Throws an Error with a sentence for the operator when the key is that of a code that was
 * revoked.
 */
export function makeFirstVault(
  database: Transactions,
  { name, ownerKeySha256 }: FirstVault,
  nowMs: number,
): Promise<MadeVault> {
  return database.transaction(async (tx) => {
    const vaultId = (await lockFirstVault(tx))?.vaultId ?? (await makeVault(tx, name, nowMs));
    const codes = await allLoginCodes(tx, vaultId);
    const mine = codes.find(({ keySha256 }) => Buffer.compare(keySha256, ownerKeySha256) === 0);
    const entered = await hasUsers(tx, vaultId);
    const settled = mine ?? (entered ? codes.at(-1) : undefined);
    if (!settled) {
      await revokeLoginCodes(tx, vaultId, new Date(nowMs));
      const codeId = await makeCode(tx, vaultId, ownerKeySha256, nowMs, ownerCodeLifetimeMs, {});
      return { vaultId, codeId, created: true, entered };
    }
    if (mine && !entered) {
      if (mine.revokedAt)
        throw new Error(
          `the login code ${mine.codeId} was revoked: ask again with the key of a new code`,
        );
      await extendLoginCode(tx, mine.codeId, new Date(nowMs + ownerCodeLifetimeMs));
    }
    return { vaultId, codeId: settled.codeId, created: false, entered };
  });
}

/**
 * Makes a login code for a new owner of a vault whose owners cannot act any more. Nothing else
 * changes: who is there stays. Throws an Error with a sentence for the operator when there is no
 * such vault.
 */
export function recoverVault(
  database: Transactions,
  { vaultId, ownerKeySha256 }: LostVault,
  nowMs: number,
): Promise<MadeVault> {
  return database.transaction(async (tx) => {
    if (!(await findVault(tx, vaultId))) throw new Error(`there is no vault ${vaultId}`);
    const detail = { recovery: "true" };
    const codeId = await makeCode(
      tx,
      vaultId,
      ownerKeySha256,
      nowMs,
      recoveryCodeLifetimeMs,
      detail,
    );
    return { vaultId, codeId, created: true, entered: await hasUsers(tx, vaultId) };
  });
}

async function makeVault(tx: Tx, name: string, nowMs: number): Promise<string> {
  const { vaultId } = await addVault(tx, name, new Date(nowMs));
  await record(
    tx,
    newEvent("identity", "vault.created", { ...ownOrigin(nowMs), vaultId, detail: { name } }),
  );
  return vaultId;
}

async function makeCode(
  tx: Tx,
  vaultId: string,
  keySha256: Uint8Array,
  nowMs: number,
  lifetimeMs: number,
  recovery: { readonly recovery?: string },
): Promise<string> {
  const { codeId, role, expiresAt } = await addOwnerCode(
    tx,
    vaultId,
    keySha256,
    new Date(nowMs),
    lifetimeMs,
  );
  const detail = { role, expires_at: expiresAt.toISOString(), ...recovery };
  const about = { ...ownOrigin(nowMs), vaultId, subjectId: codeId, detail };
  await record(tx, newEvent("identity", "login_code.created", about));
  return codeId;
}

// The running service delivers it; this command has no way to audit.
async function record(tx: Tx, event: Event): Promise<void> {
  await storeEvent(tx, event.eventId, toBinary(EventSchema, event));
}
