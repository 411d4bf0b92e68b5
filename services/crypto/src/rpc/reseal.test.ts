import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseRequest } from "@sallyport/evidence";
import type { ResealRequest } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { ResealRequestSchema } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { RollbackSecretRequestSchema } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { createFileKek, newKey } from "@sallyport/proto/keyring";
import { failureOf } from "@sallyport/rpc";
import { beforeEach, describe, expect, test } from "vitest";
import { openEnvelope, sealEnvelope } from "../envelope.ts";
import { wrapProjectKey } from "../project-key.ts";
import { createAuditContract } from "../testing/audit-contract.ts";
import { createDeployment, nowMs } from "../testing/deployment.ts";
import { startReplica } from "../testing/replica.ts";
import { type RequestPlan, signRequest, userCredential, userKeyId } from "../testing/signing.ts";

const deployment = createDeployment();
const { vaultId, projectId, user } = deployment;
const kek = createFileKek(deployment.kek);
const owner = { vaultId, projectId };
const former = { generation: 1, key: newKey() };
const current = { generation: 2, key: newKey() };
const formerProjectKey = await wrapProjectKey(kek, owner, former);
const projectKey = await wrapProjectKey(kek, owner, current);
const secretId = newId("sec");
const value = Buffer.from("canary-of-version-2");
const envelopeAt = (version: number, id = secretId) =>
  sealEnvelope(value, ValueKind.SINGLE, { ...owner, secretId: id, version }, former);
const body = { secretId, projectId, expectedVersion: 7, toVersion: 2 };

let replica: Awaited<ReturnType<typeof startReplica>>;
beforeEach(async () => {
  replica = await startReplica(deployment, createAuditContract());
});

type Plan = {
  readonly body?: Partial<typeof body>;
  readonly request?: Partial<RequestPlan>;
  readonly credential?: Parameters<typeof userCredential>[1];
  readonly finished?: (request: ResealRequest) => void;
};

function planned(plan: Plan = {}): ResealRequest {
  const { signedRequest } = signRequest({
    path: "/sallyport.secrets.v1.SecretService/RollbackSecret",
    body: toBinary(
      RollbackSecretRequestSchema,
      create(RollbackSecretRequestSchema, { ...body, ...plan.body }),
    ),
    signer: { keyId: userKeyId(deployment), seed: user.seed },
    ...plan.request,
  });
  const credential = userCredential(deployment, plan.credential);
  const keys = { formerProjectKey, projectKey };
  const sealed = { signedRequest, credential, envelope: envelopeAt(2), ...keys };
  const request = create(ResealRequestSchema, sealed);
  plan.finished?.(request);
  return request;
}

const refusal = async (plan: Plan) => {
  const failure = await replica.seal.reseal(planned(plan)).then(() => undefined, failureOf);
  return [failure?.reason, failure?.metadata["step"] ?? failure?.metadata["field"]];
};

describe("a rollback", () => {
  test("is sealed as the version after the expected one, under the key of now, and opens as no other", async () => {
    const { envelope } = await replica.seal.reseal(planned());
    const open = (version: number) =>
      openEnvelope(envelope, { ...owner, secretId, version }, current);
    expect(Buffer.from(open(8).plaintext)).toEqual(value);
    expect(() => open(2)).toThrow("a tag does not hold");
    expect(Buffer.from(envelope).includes(value)).toBe(false);
  });

  test("keeps the layout", async () => {
    const binding = { ...owner, secretId, version: 2 };
    const fields = sealEnvelope(Buffer.from('{"A":"1"}'), ValueKind.FIELDS, binding, former);
    const { envelope } = await replica.seal.reseal(
      planned({ finished: (request) => void (request.envelope = fields) }),
    );
    expect(openEnvelope(envelope, { ...binding, version: 8 }, current).kind).toBe(ValueKind.FIELDS);
  });
});

const binding = [Reason.EVIDENCE_INVALID, "binding"];
test.each<{ name: string; plan: Plan; want: readonly unknown[] }>([
  {
    name: "the envelope of another version than was signed",
    plan: { finished: (request) => void (request.envelope = envelopeAt(3)) },
    want: binding,
  },
  {
    name: "the envelope of another secret",
    plan: { finished: (request) => void (request.envelope = envelopeAt(2, newId("sec"))) },
    want: binding,
  },
  {
    name: "what is no envelope",
    plan: { finished: (request) => void (request.envelope = Buffer.of(1)) },
    want: binding,
  },
  {
    name: "another key for the former envelope",
    plan: { finished: (request) => void (request.formerProjectKey = request.projectKey) },
    want: binding,
  },
  {
    name: "a key of another project",
    plan: { finished: (request) => void (request.projectKey = new Uint8Array(84)) },
    want: binding,
  },
  {
    name: "a write in the place of a rollback",
    plan: { request: { path: "/sallyport.secrets.v1.SecretService/AddVersion" } },
    want: [Reason.EVIDENCE_INVALID, "path"],
  },
  {
    name: "an auditor",
    plan: { credential: { role: Role.AUDITOR } },
    want: [Reason.EVIDENCE_INVALID, "role"],
  },
  {
    name: "a signature that is too old",
    plan: { request: { createdMs: nowMs - 66_000 } },
    want: [Reason.EVIDENCE_INVALID, "created"],
  },
  {
    name: "a credential that has ended",
    plan: { credential: { expiresAt: timestampFromMs(nowMs) } },
    want: [Reason.EVIDENCE_INVALID, "credential"],
  },
])("refused: $name", async ({ plan, want }) => {
  expect(await refusal(plan)).toEqual(want);
});

test.each<{ message: string; plan: Plan }>([
  {
    message: "path: it is not RollbackSecret",
    plan: { request: { path: "/sallyport.secrets.v1.SecretService/AddVersion" } },
  },
  {
    message: "binding: the envelope is not the one of this version",
    plan: { finished: (request) => void (request.envelope = envelopeAt(3)) },
  },
  {
    message: "binding: the project key is not the one of this vault and project",
    plan: { finished: (request) => void (request.formerProjectKey = new Uint8Array(84)) },
  },
])("the log is told: $message", async ({ message, plan }) => {
  await refusal(plan);
  expect(replica.thrown.at(-1)).toMatchObject({ cause: { message } });
});

test("the digest of the rollback comes back with its envelope", async () => {
  const request = planned();
  const { requestDigest } = await replica.seal.reseal(request);
  const { signedRequest } = request;
  expect(Buffer.from(requestDigest)).toEqual(
    Buffer.from(signedRequest ? parseRequest(signedRequest).digest : ""),
  );
});

test("a body out of its bounds is refused by its field", async () => {
  expect((await refusal({ body: { toVersion: 7 } }))[0]).toBe(Reason.FIELD_INVALID);
});

test("a write is not sealed by a signed rollback", async () => {
  const { signedRequest, credential } = planned();
  if (!signedRequest || !credential) throw new Error("nothing planned");
  const names = { projectName: "web", secretName: "DB_URL" };
  const write = { signedRequest, credential, projectKey, ...names };
  const failure = await replica.seal.seal(write).then(() => undefined, failureOf);
  expect(failure?.metadata["step"]).toBe("path");
});
