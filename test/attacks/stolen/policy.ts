import { join } from "node:path";
import { keyFile, readSettings } from "@sallyport/config";
import { createSigner, newSeed } from "@sallyport/client";
import { openPermit, sealPermit } from "@sallyport/evidence";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../../system/databases.ts";
import { type Field, canaries } from "../field.ts";
import { type Cheat, takeOverGateway } from "../gateway/cheat.ts";
import { askFor, sealTo } from "../gateway/stage.ts";
import { signWith } from "../../system/signed.ts";
import { readAs } from "./alone.ts";

/** What policy's keys and its database are good for. */
export function describePolicy(field: () => Field): void {
  const permitKeys = () => {
    const file = join(field().system.layout.folder("policy"), "permit.key");
    return readSettings({ PERMIT_KEY: file }, { keys: keyFile("PERMIT_KEY") }).keys;
  };

  /**
   * A read for which the permit allows whatever was asked; a gateway carries it, as it would carry
   * a true one.
   */
  async function readPermitted(carrier: Cheat, signed: ReturnType<typeof askFor>) {
    const requestId = newId("req");
    const secretIds = [...signed.message.secretIds];
    const { vaultId } = field().neighbour;
    const donor = askFor(field().neighbour, { secretIds });
    const { decision, item } = await carrier.prepare(donor, {}, requestId);
    if (!decision.permit) throw new Error("policy gives the neighbour no permit");
    const claims = openPermit(decision.permit, permitKeys(), Date.now());
    const requestDigest = signed.digest;
    const permit = sealPermit({ ...claims, machineId: signed.keyId, requestDigest }, permitKeys());
    const fetched = await carrier.fetch({
      requestDigest,
      vaultId,
      secretIds,
      requestedVersion: 0,
    });
    const secrets = fetched.secrets.map(({ envelope, projectKey, slip }) => ({
      $typeName: "sallyport.crypto.internal.v1.SealedSecret" as const,
      envelope,
      projectKey,
      ...(slip ? { slip } : {}),
    }));
    const credential = await carrier.credentialOf(signed.keyId);
    const { signedRequest } = signed;
    const opened = { ...item, requestDigest, signedRequest, credential, permit, secrets };
    const [outcome] = await carrier.openAll([opened], requestId);
    return outcome?.verdict;
  }

  describe("policy, stolen: its permit key", () => {
    test("opens nothing without the machine's own signature", async () => {
      using carrier = takeOverGateway(field().system);
      const authority = new URL(field().machine.url).host;
      const asked = { secretIds: [field().ids["OTHER"] ?? ""], recipient: sealTo };
      const signer = createSigner(newSeed(), field().machine.keyId);
      const unsigned = signWith(signer, authority, ReadService.method.readSecrets, asked);
      expect(await readPermitted(carrier, unsigned)).toBe("EVIDENCE_INVALID signature");
      expect(await field().ledger.of(unsigned.digest)).toEqual([]);
    });

    test("what it gives: to a machine that exists and asks, what it was never granted, on record", async () => {
      using carrier = takeOverGateway(field().system);
      const signed = askFor(field().machine, { secretIds: [field().ids["OTHER"] ?? ""] });
      expect((await carrier.read(signed)).verdict).toBe("policy: NOT_GRANTED");
      expect(await readPermitted(carrier, signed)).toBe("opened");
      const onRecord = await field().ledger.of(signed.digest);
      expect(onRecord.map(({ action }) => action)).toEqual(["secret.read.denied", "secret.read"]);
    });
  });

  describe("the database of policy, written to by its serving role", () => {
    test("what it gives: a grant without a record, to a machine that exists; the read is on record", async () => {
      await using client = await openDatabase(field().system, "policy", "serving");
      const { machine, ids, projectId, ledger } = field();
      const secretId = ids["OTHER"] ?? "";
      expect(await readAs(machine, [secretId])).toBe("NOT_GRANTED");
      const begin = await ledger.end();
      await client.query(
        `insert into grants (machine_id, secret_id, project_id, vault_id, created_by, created_at)
         values ($1, $2, $3, $4, $1, now())`,
        [machine.principalId, secretId, projectId, machine.vaultId],
      );
      expect(await readAs(machine, [secretId])).toEqual({ OTHER: canaries.OTHER });
      await client.query("delete from grants where machine_id = $1 and secret_id = $2", [
        machine.principalId,
        secretId,
      ]);
      expect(await readAs(machine, [secretId])).toBe("NOT_GRANTED");
      const onRecord = await ledger.since(begin, "grant.added", "grant.removed", "secret.read");
      expect(onRecord.map(({ action }) => action)).toEqual(["secret.read"]);
    });

    test("no grant reaches into another vault, by its owner's hand even", async () => {
      await using client = await openDatabase(field().system, "policy", "owner");
      const { machine, foreign } = field();
      const insert = client.query(
        `insert into grants (machine_id, secret_id, project_id, vault_id, created_by, created_at)
         values ($1, $2, $3, $4, $1, now())`,
        [machine.principalId, foreign.secretId, foreign.projectId, machine.vaultId],
      );
      await expect(insert).rejects.toThrow(/foreign key/);
    });
  });
}
