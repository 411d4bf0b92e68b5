import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { sealValue, verifyKeyset } from "@sallyport/client";
import { keyFile, readSettings } from "@sallyport/config";
import { sealSlip } from "@sallyport/evidence";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import {
  KeysetSchema,
  ReplyClaimsSchema,
  type SlipClaims,
  SlipClaimsSchema,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newSecretId } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { type Field, canaries, formerValue } from "../field.ts";
import { takeOverGateway } from "../gateway/cheat.ts";
import { askFor } from "../gateway/stage.ts";
import { poseAs, verdictOf } from "../../system/mesh.ts";
import { signAs } from "../../system/signed.ts";
import { folderOf, foundIn, readAs, secretBytes } from "./alone.ts";

/** What the slip key, and secrets' right to have values sealed, are good for. */
export function describeSecrets(field: () => Field): void {
  const firstId = () => field().granted[0] ?? "";

  /** A slip of one's own about an envelope, otherwise like a true one. */
  function reslip(
    { secrets: [first] }: OpenItem,
    change: Partial<SlipClaims>,
    envelope?: Uint8Array,
  ): void {
    const file = join(field().system.layout.folder("secrets"), "slip.key");
    const { keys } = readSettings({ SLIP_KEY: file }, { keys: keyFile("SLIP_KEY") });
    if (!first?.slip) throw new Error("there is no slip");
    if (envelope) first.envelope = envelope;
    const envelopeSha256 = createHash("sha256").update(first.envelope).digest();
    const claims = fromBinary(SlipClaimsSchema, first.slip.payload);
    first.slip = sealSlip({ ...claims, envelopeSha256, ...change }, keys);
  }

  async function read(
    lie: (item: OpenItem, carrier: ReturnType<typeof takeOverGateway>) => unknown,
  ) {
    using carrier = takeOverGateway(field().system);
    const signed = askFor(field().machine, { secretIds: [firstId()] });
    const outcome = await carrier.read(signed, {
      open: async (item) => void (await lie(item, carrier)),
    });
    const claims =
      outcome.opened?.reply && fromBinary(ReplyClaimsSchema, outcome.opened.reply.payload);
    return { ...outcome, claim: claims?.secrets[0], digest: signed.digest };
  }

  const envelopeOf = async (
    carrier: ReturnType<typeof takeOverGateway>,
    requestDigest: Uint8Array,
    secretId: string,
    requestedVersion = 0,
  ) => {
    const { secrets } = await carrier.fetch({
      requestDigest,
      vaultId: field().machine.vaultId,
      secretIds: [secretId],
      requestedVersion,
    });
    return secrets[0]?.envelope ?? new Uint8Array();
  };

  describe("secrets, stolen: its slip key", () => {
    test("does not make another secret's envelope open in the place of one", async () => {
      const { verdict, requestId } = await read(async (item, carrier) => {
        reslip(item, {}, await envelopeOf(carrier, item.requestDigest, field().ids["OTHER"] ?? ""));
      });
      expect(verdict).toBe("EVIDENCE_INVALID binding");
      expect(await field().ledger.refusalsOf("crypto", requestId)).toContain("a tag does not hold");
    });

    test("does not make a former version's envelope open as a newer one", async () => {
      const { verdict } = await read(async (item, carrier) => {
        reslip(item, {}, await envelopeOf(carrier, item.requestDigest, firstId(), 1));
      });
      expect(verdict).toBe("EVIDENCE_INVALID binding");
    });

    test("does not open what policy did not allow", async () => {
      const { verdict, digest } = await read((item) =>
        reslip(item, { secretId: field().ids["OTHER"] ?? "" }),
      );
      expect(verdict).toBe("EVIDENCE_INVALID slip");
      expect(await field().ledger.of(digest)).toEqual([]);
    });

    test("does not reach into another vault", async () => {
      const { verdict } = await read((item) => reslip(item, { vaultId: field().foreign.vaultId }));
      expect(verdict).toBe("EVIDENCE_INVALID binding");
    });

    test("what it gives: a former version as the current one, and a false name for a secret", async () => {
      const former = await read(async (item, carrier) => {
        const envelope = await envelopeOf(carrier, item.requestDigest, firstId(), 1);
        reslip(item, { version: 1 }, envelope);
      });
      expect(former).toMatchObject({ verdict: "opened", claim: { name: "DB_URL", version: 1 } });
      const renamed = await read((item) => reslip(item, { name: "RENAMED" }));
      expect(renamed).toMatchObject({ verdict: "opened", claim: { name: "RENAMED", version: 2 } });
    });
  });

  describe("secrets, stolen: a write that a user signed", () => {
    /** A true write of the owner, for secrets to have it sealed. */
    async function write() {
      const { owner, projectId, system } = field();
      const keyset = fromBinary(
        KeysetSchema,
        folderOf(system, "secrets").get("keyset.bin") ?? new Uint8Array(),
      );
      const { secretId, idNonce } = newSecretId(owner.vaultId);
      const target = {
        vaultId: owner.vaultId,
        projectId,
        secretId,
        expectedVersion: 0,
        principalId: owner.principalId,
        projectName: "web",
        secretName: "WRITTEN",
      };
      const keys = await verifyKeyset(keyset, owner.rootFingerprint, Date.now());
      const plaintext = Buffer.from(canaries.OTHER);
      const value = await sealValue(plaintext, ValueKind.SINGLE, target, keys);
      const request = { secretId, idNonce, projectId, name: "WRITTEN", value };
      using carrier = takeOverGateway(system);
      const credential = await carrier.credentialOf(owner.keyId);
      const { secrets } = await carrier.fetch({
        requestDigest: randomBytes(32),
        vaultId: owner.vaultId,
        secretIds: [firstId()],
        requestedVersion: 0,
      });
      const { signedRequest } = signAs(owner, SecretService.method.createSecret, request);
      return {
        signedRequest,
        credential,
        projectKey: secrets[0]?.projectKey ?? new Uint8Array(),
        projectName: "web",
        secretName: "WRITTEN",
      };
    }

    test("is sealed for its own place alone, and comes back as an envelope", async () => {
      using thief = poseAs(field().system, "secrets");
      const crypto = thief.client(SealService, "crypto");
      const request = await write();
      const seal = (changed: Partial<typeof request>) =>
        verdictOf(crypto.seal({ ...request, ...changed }));
      expect(await seal({ projectName: "elsewhere" })).toBe("FIELD_INVALID value");
      expect(await seal({ secretName: "ELSEWHERE" })).toBe("EVIDENCE_INVALID binding");
      expect(await seal({ projectKey: randomBytes(84) })).toMatch(/^EVIDENCE_INVALID binding/);
      expect(await seal({ signedRequest: { ...request.signedRequest, body: Buffer.of(1) } })).toBe(
        "EVIDENCE_INVALID content-digest",
      );
      const { envelope } = await crypto.seal(request);
      expect(foundIn(Buffer.from(envelope), secretBytes(field()))).toEqual([]);
    });
  });

  test("secrets, stolen: a rollback that a user signed is sealed for its own place alone, and gives no value", async () => {
    const { owner, projectId, system } = field();
    using thief = poseAs(system, "secrets");
    using carrier = takeOverGateway(system);
    const crypto = thief.client(SealService, "crypto");
    const credential = await carrier.credentialOf(owner.keyId);
    const of = (secretId: string) => ({ secretId, projectId, expectedVersion: 2, toVersion: 1 });
    const { signedRequest } = signAs(owner, SecretService.method.rollbackSecret, of(firstId()));
    const fetched = async (secretId: string, requestedVersion: number) => {
      const named = { vaultId: owner.vaultId, secretIds: [secretId], requestedVersion };
      const { secrets } = await carrier.fetch({ requestDigest: randomBytes(32), ...named });
      const [
        { envelope, projectKey } = { envelope: new Uint8Array(), projectKey: new Uint8Array() },
      ] = secrets;
      return { envelope, formerProjectKey: projectKey, projectKey };
    };
    const sealed = { signedRequest, credential, ...(await fetched(firstId(), 1)) };
    const reseal = (changed: Partial<typeof sealed>) =>
      verdictOf(crypto.reseal({ ...sealed, ...changed }));
    const another = await fetched(field().ids["OTHER"] ?? "", 1);
    expect(await reseal({ envelope: another.envelope })).toBe("EVIDENCE_INVALID binding");
    const newer = await fetched(firstId(), 2);
    expect(await reseal({ envelope: newer.envelope })).toBe("EVIDENCE_INVALID binding");
    const byMachine = signAs(field().machine, SecretService.method.rollbackSecret, of(firstId()));
    const asMachine = await carrier.credentialOf(field().machine.keyId);
    const machines = { signedRequest: byMachine.signedRequest, credential: asMachine };
    expect(await reseal(machines)).toBe("EVIDENCE_INVALID role");
    const { envelope } = await crypto.reseal(sealed);
    expect(
      foundIn(Buffer.from(envelope), [...secretBytes(field()), Buffer.from(formerValue)]),
    ).toEqual([]);
  });

  test("what it gives: everything hidden, until it is shown again", async () => {
    using thief = poseAs(field().system, "secrets");
    const directory = thief.client(DirectoryService, "policy");
    const { vaultId } = field().machine;
    await directory.retireResources({ vaultId, secretIds: [firstId()] });
    expect(await readAs(field().machine, [firstId()])).toBe("NOT_GRANTED");
    await directory.reinstateResources({ vaultId, secretIds: [firstId()] });
    expect(await readAs(field().machine, [firstId()])).toEqual({ DB_URL: canaries.DB_URL });
  });
}
