import { randomBytes } from "node:crypto";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { type CredentialKey, resolveMachine, resolveUserKey } from "./credential.ts";
import { findMachines } from "../machines/store.ts";
import { findUserKeys } from "../devices/store.ts";

/** The dependencies of looking up keys. */
export type ResolveParts = {
  readonly database: Pick<Database, "query">;
  /** The key that signs now. */
  readonly key: () => CredentialKey;
  readonly clock: () => number;
};

/**
 * Makes ResolveKeys: one result for each keyid, in their order; one that is not known has nothing
 * but its keyid.
 */
export function createResolveKeys({
  database,
  key,
  clock,
}: ResolveParts): ServiceImpl<typeof KeyService>["resolveKeys"] {
  return async ({ keyIds }) => {
    const ofUsers = keyIds.filter((keyId) => keyId.includes("."));
    const ofMachines = keyIds.filter((keyId) => !keyId.includes("."));
    const [machines, userKeys] = await Promise.all([
      findMachines(database, ofMachines),
      findUserKeys(database, ofUsers),
    ]);
    const nowMs = clock();
    const signing = key();
    const issue = () => ({ key: signing, nowMs, serial: randomBytes(16) });
    const known = new Map([
      ...machines.map((machine) => [machine.machineId, resolveMachine(machine, issue())] as const),
      ...userKeys.map((userKey) => [userKey.keyId, resolveUserKey(userKey, issue())] as const),
    ]);
    return { results: keyIds.map((keyId) => known.get(keyId) ?? { keyId }) };
  };
}
