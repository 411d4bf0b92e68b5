import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Identity,
  formatToken,
  login,
  newSeed,
  newTokenSecret,
  openSallyport,
  parseToken,
} from "@sallyport/client";
import { publicKeyOf } from "@sallyport/evidence";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../../system/databases.ts";
import { type Field, canaries } from "../field.ts";
import { poseAs } from "../../system/mesh.ts";
import { readAs } from "./alone.ts";

const hourMs = 3_600_000;

/**
 * Identity is a root: what it gives is everything, and what is tested is what that leaves behind.
 */
export function describeIdentity(field: () => Field): void {
  test("identity, stolen: a machine that it invents reads every value, and leaves memberships, grants and reads", async () => {
    const { system, owner, projectId, ids, token, ledger, machine } = field();
    const begin = await ledger.end();
    const [seed, machineId] = [newSeed(), newId("mch")];
    const tokenId = parseToken(token, "enr").id;
    await using database = await openDatabase(system, "identity", "serving");
    await database.query(
      `insert into machines (machine_id, vault_id, token_id, public_key, name, hostname, state, created_at,
         expires_at, activated_at)
       values ($1, $2, $3, $4, 'invented', 'nowhere', 'active', now(), now() + interval '1 hour', now())`,
      [machineId, owner.vaultId, tokenId, Buffer.from(publicKeyOf(seed))],
    );
    using thief = poseAs(system, "identity");
    const secretIds = Object.values(ids);
    await thief.client(ScopeService, "policy").applyScope({
      vaultId: owner.vaultId,
      machineId,
      projectIds: [projectId],
      secretIds,
      expiresAt: timestampFromMs(Date.now() + hourMs),
      createdBy: owner.principalId,
      createdByRole: Role.OWNER,
      tokenId,
    });
    const invented: Identity = {
      ...machine,
      principalId: machineId,
      keyId: machineId,
      seed: Buffer.from(seed).toString("base64"),
    };
    const { DB_URL, API_KEY, OTHER } = canaries;
    expect(await readAs(invented, secretIds)).toEqual({ DB_URL, API_KEY, OTHER });

    const actions = [
      "machine.enrolled",
      "token.checked",
      "token.exhausted",
      "membership.added",
      "grant.added",
      "secret.read",
    ];
    const onRecord = await ledger.since(begin, ...actions);
    expect(onRecord.map(({ action }) => action)).toEqual([
      "membership.added",
      ...secretIds.map(() => "grant.added"),
      ...secretIds.map(() => "secret.read"),
    ]);
    expect(new Set(onRecord.map(({ machine_id }) => machine_id))).toEqual(new Set([machineId]));
  });

  describe("the database of identity, written to", () => {
    test("what it gives to its serving role: a login code, and so an owner, with the records of one", async () => {
      const { system, owner, deployment, ledger } = field();
      const begin = await ledger.end();
      const { seed, publicKeySha256 } = newTokenSecret();
      const codeId = newId("tok");
      await using database = await openDatabase(system, "identity", "serving");
      await database.query(
        `insert into login_codes (code_id, vault_id, key_sha256, role, created_at, expires_at)
         values ($1, $2, $3, 'owner', now(), now() + interval '1 hour')`,
        [codeId, owner.vaultId, Buffer.from(publicKeySha256)],
      );
      const { vaultId, rootFingerprint } = owner;
      const code = formatToken("login", { id: codeId, vaultId, rootFingerprint, seed });
      const intruder = openSallyport(await login(deployment.endpoint, code, "intruder"));
      expect((await intruder.services.projects.listProjects({})).projects.length).toBeGreaterThan(
        0,
      );
      intruder.close();
      const onRecord = await ledger.since(begin, "login_code.created", "user.enrolled");
      expect(onRecord.map(({ action }) => action)).toEqual(["user.enrolled"]);
    });

    test("its serving role changes no key of a machine or a device that exists", async () => {
      await using database = await openDatabase(field().system, "identity", "serving");
      for (const statement of [
        "update machines set public_key = ''",
        "update user_keys set public_key = ''",
        "update users set role = 'owner'",
        "update machines set expires_at = now()",
        "delete from machines",
      ])
        await expect(database.query(statement), statement).rejects.toMatchObject({ code: "42501" });
    });

    test("what it gives to its owner: a machine's place, and with it what that machine was granted, on record", async () => {
      const { foreign, system, ledger } = field();
      const begin = await ledger.end();
      const seed = newSeed();
      const impostor = { ...foreign.machine, seed: Buffer.from(seed).toString("base64") };
      await using database = await openDatabase(system, "identity", "owner");
      await database.query("update machines set public_key = $2 where machine_id = $1", [
        foreign.machine.principalId,
        Buffer.from(publicKeyOf(seed)),
      ]);
      expect(await readAs(impostor, [foreign.secretId])).toEqual({ FOREIGN: canaries.FOREIGN });
      const onRecord = await ledger.since(begin, "machine.enrolled", "secret.read");
      expect(onRecord).toMatchObject([
        { action: "secret.read", machine_id: foreign.machine.principalId },
      ]);
    });
  });
}
