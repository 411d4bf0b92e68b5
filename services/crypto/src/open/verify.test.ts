import { create, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  PermitClaimsSchema,
  PrincipalKind,
  Role,
  SealingSuite,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsRequestSchema,
  RecipientSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { newKey } from "../aead.ts";
import { sealingPublicKeyOf } from "../hpke.ts";
import { createFileKek } from "../kek.ts";
import { unwrapProjectKey, wrapProjectKey } from "../project-key.ts";
import { createAuditContract } from "../testing/audit-contract.ts";
import { createDeployment, nowMs } from "../testing/deployment.ts";
import { type ReadPlan, type StoredSecret, planRead, storeSecret } from "../testing/read.ts";
import { startReplica, verdictOf } from "../testing/replica.ts";
import { userKeyId } from "../testing/signing.ts";
import { checkRecipient } from "./steps.ts";

const deployment = createDeployment();
const { machine, user, identity, keyring, projectId } = deployment;
const stored = [await storeSecret(deployment, "DB_URL"), await storeSecret(deployment, "API_KEY")];
const [first, second] = stored as [StoredSecret, StoredSecret];
const other = createDeployment();
// Whole and in order, but where the machine has no business.
const elsewhere = {
  vault: await storeSecret({ ...deployment, vaultId: other.vaultId }, "ELSEWHERE"),
  project: await storeSecret({ ...deployment, projectId: other.projectId }, "ELSEWHERE"),
};
const later = await wrappedLater(first);
const ids = stored.map(({ secretId }) => secretId);
const expired = timestampFromMs(nowMs - 1);
const decided = (changed: object) => ({
  secrets: ids.map((secretId) => ({ secretId, projectId, ...changed })),
});
const json = (text: string) => ({ contentType: "application/json", body: Buffer.from(text) });
const readJson = toJsonString(ReadSecretsRequestSchema, create(ReadSecretsRequestSchema, { secretIds: ids }));

type Case = {
  readonly step: string;
  /** What the log is told: no two checks say the same, so that the check which refused is the one meant. */
  readonly says: string;
  readonly name: string;
  readonly plan: ReadPlan;
  readonly stored?: readonly StoredSecret[];
};

// Each differs from a valid read in one thing; whatever depends on it was made anew, so that no other step can object.
const cases: readonly Case[] = [
  {
    step: "credential",
    says: "it is missing",
    name: "missing",
    plan: { item: (item) => delete item.credential },
  },
  {
    step: "credential",
    says: "the keyset does not have its key",
    name: "signed by a key that is not in the keyset",
    plan: { issuer: { ...identity, keyId: "identity-2" } },
  },
  {
    step: "credential",
    says: "the signature does not hold",
    name: "signed by another key under identity's id",
    plan: { issuer: { ...identity, seed: newKey() } },
  },
  {
    step: "credential",
    says: "it is expired",
    name: "expired",
    plan: { credential: { expiresAt: expired } },
  },
  {
    step: "credential",
    says: "it lives longer than it may",
    name: "older than 60 s",
    plan: {
      credential: { issuedAt: timestampFromMs(nowMs - 61_000), expiresAt: timestampFromMs(nowMs + 1_000) },
    },
  },
  {
    step: "credential",
    says: "it is not a machine's",
    name: "a user's",
    plan: {
      credential: {
        principalId: user.id,
        kind: PrincipalKind.USER,
        role: Role.OWNER,
        keyId: userKeyId(deployment),
        publicKey: publicKeyOf(user.seed),
      },
      request: { signer: { keyId: userKeyId(deployment), seed: user.seed } },
    },
  },
  {
    step: "signature",
    says: "it does not hold",
    name: "by another key",
    plan: { request: { signer: { keyId: machine.id, seed: newKey() } } },
  },
  {
    step: "signature",
    says: "it is missing",
    name: "missing",
    plan: { item: (item) => delete item.signedRequest },
  },
  {
    step: "signature",
    says: "it does not hold",
    name: "over another path",
    plan: { item: ({ signedRequest }) => void Object.assign(signedRequest ?? {}, { path: "/a.B/C" }) },
  },
  {
    step: "binding",
    says: "the keyid is another one's",
    name: "keyid of another machine",
    plan: { request: { signer: { keyId: newId("mch"), seed: machine.seed } } },
  },
  { step: "method", says: "it is not POST", name: "PUT", plan: { request: { method: "PUT" } } },
  {
    step: "authority",
    says: "it is not ours",
    name: "another deployment's",
    plan: { request: { authority: "elsewhere.test:8443" } },
  },
  {
    step: "path",
    says: "it is not ReadSecrets",
    name: "another read",
    plan: { request: { path: "/sallyport.gateway.v1.ReadService/ListReadableSecrets" } },
  },
  {
    step: "created",
    says: "it is outside the window",
    name: "too long ago",
    plan: { request: { createdMs: nowMs - 66_000 } },
  },
  {
    step: "created",
    says: "it is outside the window",
    name: "too far ahead",
    plan: { request: { createdMs: nowMs + 66_000 } },
  },
  {
    step: "content-type",
    says: "it is not accepted",
    name: "not accepted",
    plan: { request: { contentType: "application/x-protobuf" } },
  },
  {
    step: "content-digest",
    says: "it is another body's",
    name: "of another body",
    plan: { request: { sentBody: Buffer.from("{}") } },
  },
  {
    step: "binding",
    says: "the item names another request",
    name: "item names another request",
    plan: { item: (item) => void (item.requestDigest = new Uint8Array(32)) },
  },
  {
    step: "body",
    says: "the message is malformed or has unknown fields",
    name: "unknown field",
    plan: { request: json(readJson.replace("{", '{"extra":1,')) },
  },
  {
    step: "body",
    says: "the message gives a field twice",
    name: "key given twice",
    plan: { request: json(readJson.replace("{", `{"secretIds":["${ids[0]}"],`)) },
  },
  {
    step: "body",
    says: "the message is malformed or has unknown fields",
    name: "trailing bytes",
    plan: { request: json(`${readJson} x`) },
  },
  {
    step: "body",
    says: "a field breaks its bounds",
    name: "a field out of bounds",
    plan: { asked: { secretIds: [...ids, ids[0] ?? ""] } },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "fewer secrets than decided on",
    plan: { asked: { secretIds: ids.slice(1) } },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "other secrets than decided on",
    plan: { asked: { secretIds: [ids[0] ?? "", newId("sec")] } },
  },
  {
    step: "body",
    says: "it asks for another project than the permit is about",
    name: "another project than decided on",
    plan: { asked: { secretIds: [], projectId: newId("prj") } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "everything granted, where one project was decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { allGranted: false, projectId } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "everything granted, where named secrets were decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { allGranted: false } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "a project, where everything granted was decided on",
    plan: { asked: { secretIds: [], projectId }, permit: { projectId: "", allGranted: true } },
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "a project, where another one was decided on and found empty",
    plan: { asked: { secretIds: [], projectId }, permit: { projectId: other.projectId } },
    stored: [],
  },
  {
    step: "body",
    says: "it asks for another target than the permit is about",
    name: "named secrets, where their project was decided on",
    plan: { permit: { projectId } },
  },
  {
    step: "body",
    says: "it asks for another page than the permit is about",
    name: "the first page, where a later one was decided on",
    plan: { asked: { secretIds: [], allGranted: true }, permit: { pageToken: newId("sec") } },
  },
  {
    step: "body",
    says: "it asks for another page than the permit is about",
    name: "a later page, where the first one was decided on",
    plan: { asked: { secretIds: [], projectId, pageToken: newId("sec") }, permit: { pageToken: "" } },
  },
  {
    step: "body",
    says: "it asks for other secrets than the permit is about",
    name: "named secrets, where nothing was decided on",
    plan: { asked: { secretIds: ids } },
    stored: [],
  },
  {
    step: "body",
    says: "it asks for another version than the permit is about",
    name: "another version than decided on",
    plan: { asked: { version: 2 } },
    stored: [first],
  },
  {
    step: "body",
    says: "it asks for another project than the permit is about",
    name: "a project, where a secret of another one was decided on as well",
    plan: {
      asked: { secretIds: [], projectId },
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, projectId: other.projectId },
        ],
      },
    },
  },
  {
    step: "body",
    says: "it asks for another version than the permit is about",
    name: "the current version, where a named one of one secret was decided on",
    plan: {
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, projectId, requestedVersion: 3 },
        ],
      },
    },
  },
  {
    step: "body",
    says: "it asks for all or nothing, and not all is allowed",
    name: "all or nothing, and one refused",
    plan: {
      asked: { secretIds: ids, allOrNothing: true },
      permit: {
        secrets: [
          { secretId: first.secretId, projectId },
          { secretId: second.secretId, refusal: Reason.NOT_GRANTED },
        ],
      },
    },
    stored: [first],
  },
  {
    step: "body",
    says: "nothing can be sealed to its recipient",
    name: "a recipient to which nothing can be sealed",
    plan: {
      asked: {
        recipient: { suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM, publicKey: new Uint8Array(32) },
      },
    },
  },
  { step: "permit", says: "it is missing", name: "missing", plan: { item: (item) => delete item.permit } },
  {
    step: "permit",
    says: "its MAC key is unknown",
    name: "under a key that we do not have",
    plan: { permitKeys: [{ keyId: "permit-2", key: newKey() }] },
  },
  {
    step: "permit",
    says: "the MAC does not hold",
    name: "forged",
    plan: { permitKeys: [{ keyId: "permit-1", key: newKey() }] },
  },
  {
    step: "permit",
    says: "the MAC does not hold",
    name: "made with the slip key",
    plan: { permitKeys: keyring.slip.map(({ key }) => ({ keyId: "permit-1", key })) },
  },
  { step: "permit", says: "it is expired", name: "expired", plan: { permit: { expiresAt: expired } } },
  {
    step: "permit",
    says: "it lives longer than it may",
    name: "lives too long",
    plan: { permit: { expiresAt: timestampFromMs(nowMs + 60_000) } },
  },
  {
    step: "permit",
    says: "it is for another request",
    name: "for another request",
    plan: { permit: { requestDigest: new Uint8Array(32) } },
  },
  {
    step: "permit",
    says: "it is for another machine",
    name: "for another machine",
    plan: { permit: { machineId: newId("mch") } },
  },
  {
    step: "permit",
    says: "it names a secret twice",
    name: "a secret twice",
    plan: {
      asked: { secretIds: [], allGranted: true },
      permit: { secrets: [...decided({}).secrets, ...decided({}).secrets] },
    },
  },
  {
    step: "permit",
    says: "it allows only a sealed reply, and the request names no recipient",
    name: "sealed only, and no recipient",
    plan: { permit: { sealedOnly: true } },
  },
  {
    step: "slip",
    says: "it is missing",
    name: "missing",
    plan: { item: ({ secrets }) => void delete secrets[0]?.slip },
  },
  {
    step: "slip",
    says: "its MAC key is unknown",
    name: "under a key that we do not have",
    plan: { slipKeys: [{ keyId: "slip-2", key: newKey() }] },
  },
  {
    step: "slip",
    says: "the MAC does not hold",
    name: "forged",
    plan: { slipKeys: [{ keyId: "slip-1", key: newKey() }] },
  },
  { step: "slip", says: "it is expired", name: "expired", plan: { slip: { expiresAt: expired } } },
  {
    step: "slip",
    says: "it is for another request",
    name: "for another request",
    plan: { slip: { requestDigest: new Uint8Array(32) } },
  },
  {
    step: "slip",
    says: "it is about another envelope",
    name: "about another envelope",
    plan: { slip: { envelopeSha256: new Uint8Array(32) } },
  },
  {
    step: "slip",
    says: "it is about another envelope",
    name: "envelopes exchanged",
    plan: {
      item: ({ secrets: [a, b] }) => void (a && b && ([a.envelope, b.envelope] = [b.envelope, a.envelope])),
    },
  },
  {
    step: "slip",
    says: "it answers for another version",
    name: "answers another selector",
    plan: { slip: { requestedVersion: 3 } },
  },
  {
    step: "slip",
    says: "it answers for another version",
    name: "another version than asked",
    plan: {
      asked: { version: 2 },
      permit: { secrets: [{ secretId: first.secretId, projectId, requestedVersion: 2 }] },
      slip: { requestedVersion: 2 },
    },
    stored: [first],
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "an envelope too few",
    plan: { item: ({ secrets }) => void secrets.pop() },
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "an envelope too many",
    plan: { item: ({ secrets }) => void secrets.push(...secrets.slice(0, 1)) },
  },
  {
    step: "slip",
    says: "it is missing",
    name: "one secret answered twice, another not",
    plan: { item: ({ secrets: [a, b] }) => void (a && b && Object.assign(b, a)) },
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "for a secret that was refused",
    plan: {
      permit: {
        secrets: [
          ...decided({}).secrets.slice(0, 1),
          { secretId: second.secretId, refusal: Reason.NOT_GRANTED },
        ],
      },
    },
  },
  {
    step: "binding",
    says: "permit and credential name different vaults",
    name: "credential of another vault",
    plan: { credential: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "permit and credential name different vaults",
    name: "permit of another vault",
    plan: { permit: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "slip and credential name different vaults",
    name: "slip of another vault",
    plan: { slip: { vaultId: newId("vlt") } },
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "permit of another project",
    plan: { permit: decided({ projectId: newId("prj") }) },
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "slip of another project",
    plan: { slip: { projectId: newId("prj") } },
  },
  {
    step: "binding",
    says: "slip and credential name different vaults",
    name: "all of another vault",
    plan: { slip: { vaultId: other.vaultId } },
    stored: [elsewhere.vault],
  },
  {
    step: "binding",
    says: "slip and permit name different projects",
    name: "all of another project",
    plan: { slip: { projectId: other.projectId } },
    stored: [elsewhere.project],
  },
  {
    step: "binding",
    says: "envelope and project key are of different generations",
    name: "project key of another generation",
    plan: {},
    stored: [later],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "project key of another vault",
    plan: {},
    stored: [await storeSecret({ ...other, kek: deployment.kek }, "FOREIGN")],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "project key under another KEK",
    plan: {},
    stored: [await storeSecret({ ...deployment, kek: newKey() }, "FOREIGN")],
  },
  {
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    name: "no envelope at all",
    plan: {},
    stored: [{ ...first, envelope: Buffer.from("SPE1") }],
  },
];

async function wrappedLater(secret: StoredSecret): Promise<StoredSecret> {
  const kek = createFileKek(deployment.kek);
  const { key } = await unwrapProjectKey(kek, deployment, secret.projectKey);
  return { ...secret, projectKey: await wrapProjectKey(kek, deployment, { generation: 2, key }) };
}

test("a valid read is opened: what the cases below change one thing of", async () => {
  const replica = await startReplica(deployment, createAuditContract());
  for (const request of [{}, json(readJson)]) {
    const [result] = await replica.open(planRead(deployment, stored, { request }));
    expect(verdictOf(result)).toBe("opened");
  }
  const paged = { secretIds: [], projectId };
  expect(verdictOf((await replica.open(planRead(deployment, stored, { asked: paged })))[0])).toBe("opened");
  expect(
    verdictOf(
      (await replica.open(planRead(deployment, stored, { asked: { secretIds: [], allGranted: true } })))[0],
    ),
  ).toBe("opened");
});

test("a sealed reply is made where policy allows no other, and a named version is opened", async () => {
  const replica = await startReplica(deployment, createAuditContract());
  const recipient = {
    suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
    publicKey: sealingPublicKeyOf(newKey()),
  };
  const sealedOnly = planRead(deployment, stored, {
    asked: { secretIds: ids, recipient },
    permit: { sealedOnly: true },
  });
  const named = planRead(deployment, [first], {
    asked: { secretIds: [first.secretId], version: 3 },
    permit: { secrets: [{ secretId: first.secretId, projectId, requestedVersion: 3 }] },
    slip: { requestedVersion: 3 },
  });
  for (const item of [sealedOnly, named]) expect(verdictOf((await replica.open(item))[0])).toBe("opened");
});

test.each([-65_000, 65_000])(
  "a read of a clock that differs by %i ms is opened, which is the edge",
  async (by) => {
    const replica = await startReplica(deployment, createAuditContract());
    const [result] = await replica.open(planRead(deployment, stored, { request: { createdMs: nowMs + by } }));
    expect(verdictOf(result)).toBe("opened");
  },
);

test.each(cases)("$step: $name", async ({ step, says, plan, stored: secrets = stored }) => {
  const log = createAuditContract();
  const replica = await startReplica(deployment, log);
  const [result] = await replica.open(planRead(deployment, secrets, plan));
  expect(verdictOf(result)).toBe(`EVIDENCE_INVALID ${step}`);
  expect(JSON.parse(replica.logged())).toMatchObject({
    msg: "refused to open",
    err: { cause: { message: `${step}: ${says}` } },
  });
  expect(log.calls()).toBe(0); // What is not proven is not recorded as read.
});

test.each([
  {
    name: "envelope of another secret",
    changed: { envelope: second.envelope, projectKey: second.projectKey },
  },
  { name: "envelope of another version", changed: { version: 2 } },
])("binding: $name does not open, even with a slip for it", async ({ changed }) => {
  const replica = await startReplica(deployment, createAuditContract());
  const [result] = await replica.open(planRead(deployment, [{ ...first, ...changed }]));
  expect(verdictOf(result)).toBe("EVIDENCE_INVALID binding");
});

test("body: a suite that the contract may name one day is refused until it is built", () => {
  const recipient = create(RecipientSchema, { publicKey: new Uint8Array(32) });
  const asked = create(ReadSecretsRequestSchema, { recipient });
  expect(() => checkRecipient(asked, create(PermitClaimsSchema))).toThrow("body: it names an unknown suite");
});
