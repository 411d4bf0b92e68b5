import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  PrincipalKind,
  Role,
  SealingSuite,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Failure, failureOf } from "@sallyport/rpc";
import { beforeEach, describe, expect, test } from "vitest";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { openEnvelope } from "../envelope.ts";
import { unwrapProjectKey } from "../project-key.ts";
import { createAuditContract } from "../testing/audit-contract.ts";
import { createDeployment, nowMs } from "../testing/deployment.ts";
import { startReplica } from "../testing/replica.ts";
import { userKeyId } from "../testing/signing.ts";
import { type WritePlan, planWrite } from "../testing/write.ts";

const deployment = createDeployment();
const { machine, vaultId, projectId } = deployment;
let replica: Awaited<ReturnType<typeof startReplica>>;

beforeEach(async () => {
  replica = await startReplica(deployment, createAuditContract());
});

const seal = async (plan: WritePlan = {}) =>
  replica.seal.seal((await planWrite(deployment, plan)).request);

async function refusalOf(call: Promise<unknown>): Promise<Failure> {
  const done = await call.then(() => "done", failureOf);
  if (typeof done === "string") throw new Error("it was not refused");
  return done;
}

describe("what is sealed", () => {
  test.each([
    { name: "a new secret", expectedVersion: 0 },
    { name: "a new version", expectedVersion: 7 },
  ])(
    "$name goes into the envelope of the version after the expected one",
    async ({ expectedVersion }) => {
      const { request, secretId, projectKey } = await planWrite(deployment, { expectedVersion });
      const { envelope, kind, fieldNames } = await replica.seal.seal(request);
      const place = { vaultId, projectId, secretId, version: expectedVersion + 1 };
      expect(Buffer.from(openEnvelope(envelope, place, projectKey).plaintext).toString()).toBe(
        "s3cret",
      );
      expect([kind, fieldNames]).toEqual([ValueKind.SINGLE, []]);
    },
  );

  test("named fields come back as sorted names", async () => {
    const plaintext = Buffer.from('{"USER":"u","PASSWORD":"p"}');
    const { kind, fieldNames } = await seal({ plaintext, kind: ValueKind.FIELDS });
    expect([kind, fieldNames]).toEqual([ValueKind.FIELDS, ["PASSWORD", "USER"]]);
  });

  test("64 KiB and the empty value", async () => {
    for (const plaintext of [new Uint8Array(65_536), new Uint8Array()]) {
      const { envelope } = await seal({ plaintext });
      expect(envelope.length).toBe(97 + plaintext.length);
    }
  });

  test("a project key is new, and wrapped for its vault, project and generation", async () => {
    const owner = { vaultId, projectId };
    const [one, two] = await Promise.all(
      [1, 1].map((generation) => replica.seal.newProjectKey({ ...owner, generation })),
    );
    const kek = createFileKek(deployment.kek);
    const keys = await Promise.all(
      [one, two].map((made) => unwrapProjectKey(kek, owner, made?.projectKey ?? new Uint8Array())),
    );
    expect(keys.map(({ generation }) => generation)).toEqual([1, 1]);
    expect(keys[0]?.key).not.toEqual(keys[1]?.key);
    await expect(
      unwrapProjectKey(
        kek,
        { vaultId, projectId: newId("prj") },
        one?.projectKey ?? new Uint8Array(),
      ),
    ).rejects.toThrow("a tag does not hold");
  });
});

type Case = { readonly step: string; readonly name: string; readonly plan: WritePlan };

const asMachine: WritePlan = {
  credential: {
    principalId: machine.id,
    kind: PrincipalKind.MACHINE,
    role: Role.UNSPECIFIED,
    keyId: machine.id,
    publicKey: publicKeyOf(machine.seed),
  },
  request: { signer: { keyId: machine.id, seed: machine.seed } },
  sealedFor: { principalId: machine.id },
};
const cases: readonly Case[] = [
  {
    step: "credential",
    name: "missing",
    plan: { finished: (request) => delete request.credential },
  },
  {
    step: "credential",
    name: "expired",
    plan: { credential: { expiresAt: timestampFromMs(nowMs) } },
  },
  {
    step: "signature",
    name: "missing",
    plan: { finished: (request) => delete request.signedRequest },
  },
  {
    step: "signature",
    name: "by another key",
    plan: { request: { signer: { keyId: userKeyId(deployment), seed: newKey() } } },
  },
  { step: "method", name: "PUT", plan: { request: { method: "PUT" } } },
  {
    step: "authority",
    name: "another deployment's",
    plan: { request: { authority: "elsewhere.test:8443" } },
  },
  { step: "created", name: "too long ago", plan: { request: { createdMs: nowMs - 66_000 } } },
  {
    step: "content-digest",
    name: "of another body",
    plan: { request: { sentBody: new Uint8Array() } },
  },
  {
    step: "path",
    name: "a method that writes no value",
    plan: { request: { path: "/sallyport.secrets.v1.SecretService/GetSecret" } },
  },
  {
    step: "path",
    name: "a read",
    plan: { request: { path: "/sallyport.gateway.v1.ReadService/ReadSecrets" } },
  },
  { step: "role", name: "auditor", plan: { credential: { role: Role.AUDITOR } } },
  { step: "role", name: "machine", plan: asMachine },
  {
    step: "body",
    name: "unknown field",
    plan: { request: { body: Buffer.from([0xfa, 0x01, 0x01, 0x00]) } },
  },
  {
    step: "binding",
    name: "project key of another project",
    plan: { finished: (request) => void (request.projectKey = new Uint8Array(84)) },
  },
  {
    step: "binding",
    name: "another name than the signed body gives a new secret",
    plan: {
      sealedFor: { secretName: "OTHER" },
      finished: (request) => void (request.secretName = "OTHER"),
    },
  },
];

test.each(cases)("$step: $name", async ({ step, plan }) => {
  const failure = await refusalOf(seal(plan));
  expect([failure.reason, failure.metadata]).toEqual([Reason.EVIDENCE_INVALID, { step }]);
});

test.each([
  ["a read", "path: it is neither CreateSecret nor AddVersion"],
  ["auditor", "role: the signer may not write secrets"],
  ["machine", "role: the signer may not write secrets"],
  [
    "project key of another project",
    "binding: the project key is not the one of this vault and project",
  ],
  [
    "another name than the signed body gives a new secret",
    "binding: the name is not the one in the signed body",
  ],
])("the log is told of %s: %s", async (name, message) => {
  const refused = cases.find((found) => found.name === name);
  await refusalOf(seal(refused?.plan ?? {}));
  expect(replica.thrown.at(-1)).toMatchObject({ cause: { message } });
});

test.each([Role.OWNER, Role.ADMIN, Role.DEVELOPER])("role %i may write", async (role) => {
  expect((await seal({ credential: { role } })).envelope.length).toBe(97 + 6);
});

test.each<{ name: string; plan: WritePlan }>([
  { name: "vault", plan: { sealedFor: { vaultId: newId("vlt") } } },
  { name: "project", plan: { sealedFor: { projectId: newId("prj") } } },
  { name: "secret", plan: { sealedFor: { secretId: newId("sec") } } },
  { name: "version", plan: { sealedFor: { expectedVersion: 1 } } },
  { name: "user", plan: { sealedFor: { principalId: newId("usr") } } },
  { name: "kind", plan: { sealedFor: { kind: ValueKind.FIELDS } } },
  { name: "project name", plan: { sealedFor: { projectName: "web-2" } } },
  { name: "secret name", plan: { sealedFor: { secretName: "API_KEY" } } },
  {
    name: "project name, in a new version",
    plan: { expectedVersion: 7, sealedFor: { projectName: "web-2" } },
  },
  {
    name: "secret name, in a new version",
    plan: { expectedVersion: 7, sealedFor: { secretName: "API_KEY" } },
  },
])("a value sealed for another $name does not open", async ({ plan }) => {
  const { reason, metadata } = await refusalOf(seal(plan));
  expect([reason, metadata["field"]]).toEqual([Reason.FIELD_INVALID, "value"]);
  expect(metadata["description"]).toMatch(/^does not open/);
});

test.each<{ name: string; plan: WritePlan; description: RegExp }>([
  {
    name: "a sealing key that is not ours",
    plan: { value: { keyId: "sealing-9" } },
    description: /get the keyset again/,
  },
  { name: "fields that are none", plan: { kind: ValueKind.FIELDS }, description: /JSON object/ },
  {
    name: "an encapsulated key of zeroes",
    plan: { value: { encapsulatedKey: new Uint8Array(32) } },
    description: /^is a key of small order/,
  },
])("refuses $name", async ({ plan, description }) => {
  const { reason, metadata } = await refusalOf(seal(plan));
  expect(reason).toBe(Reason.FIELD_INVALID);
  expect(metadata["description"]).toMatch(description);
});

test("a KEK that is away is not taken for evidence that does not hold", async () => {
  const away = {
    ...createFileKek(deployment.kek),
    unwrap: () => Promise.reject(new Error("the KMS is away")),
  };
  replica = await startReplica(deployment, createAuditContract(), away);
  expect(await refusalOf(seal())).toMatchObject({ reason: Reason.INTERNAL });
  expect(replica.thrown.at(-1)).toMatchObject({ cause: { message: "the KMS is away" } });
});

test("a field out of its bounds is named", async () => {
  const { reason, metadata } = await refusalOf(
    seal({ value: { suite: SealingSuite.UNSPECIFIED } }),
  );
  expect([reason, metadata["field"]]).toEqual([Reason.FIELD_INVALID, "value.suite"]);
});

test.each([ValueKind.SINGLE, ValueKind.FIELDS])(
  "a plaintext of 65,537 bytes and kind %d is TOO_LARGE",
  async (kind) => {
    const failure = await refusalOf(seal({ plaintext: new Uint8Array(65_537), kind }));
    expect([failure.reason, failure.metadata]).toEqual([
      Reason.TOO_LARGE,
      { limit_bytes: "65536" },
    ]);
  },
);

test("no refusal holds anything of the value, in no part of its cause chain", async () => {
  const canary = "canary-5d1e";
  const plans: WritePlan[] = [
    { plaintext: Buffer.from(`{"${canary}":"x"}`), kind: ValueKind.FIELDS },
    { plaintext: Buffer.from(`{"A":"${canary}`), kind: ValueKind.FIELDS },
    { plaintext: Buffer.from(canary), sealedFor: { secretId: newId("sec") } },
  ];
  for (const plan of plans) await refusalOf(seal(plan));
  expect(replica.thrown.length).toBe(plans.length);
  for (const error of replica.thrown)
    for (let told = error; told instanceof Error; told = told.cause) {
      const { metadata } = told as { metadata?: unknown };
      expect(`${told.message} ${told.stack} ${JSON.stringify(metadata)}`).not.toContain(canary);
    }
});
