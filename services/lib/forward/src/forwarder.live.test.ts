import { createHash } from "node:crypto";
import { type JsonValue, create, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { ForwardResponse } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  AnswerClaimsSchema,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  EnrollRequestSchema,
  EnrollResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  CreateProjectResponseSchema,
  ListProjectsRequestSchema,
  ListProjectsResponseSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { answerPreimage, frameMessage } from "@sallyport/proto/signing";
import { Failure } from "@sallyport/rpc";
import { newUser } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseRequest, publicKeyOf, verifyEd25519 } from "@sallyport/evidence";
import {
  type Forwarded,
  type TestOwner,
  createTestOwner,
  requestId,
  startMs,
} from "./testing/owner.ts";

const user = newUser("vlt_0123456789abcdefghjk", Role.ADMIN);
const strangerSeed = new Uint8Array(32).fill(4);
const createPath = "/sallyport.secrets.v1.ProjectService/CreateProject";
const deletePath = "/sallyport.secrets.v1.ProjectService/DeleteProject";
const listPath = "/sallyport.secrets.v1.ProjectService/ListProjects";

let owner: TestOwner;
beforeAll(async () => (owner = await createTestOwner()));
afterAll(() => owner[Symbol.asyncDispose]());
beforeEach(async () => {
  Object.assign(owner.state, { nowMs: startMs, events: [], logDown: false, forgets: false });
  await owner.database.query("delete from projects");
});

const credentialOf = (role: Role = Role.ADMIN) => owner.deployment.credentialOf({ ...user, role });
const signed = (path: string, body: unknown, signer: Pick<typeof user, "keyId" | "seed"> = user) =>
  owner.deployment.signRequest(signer, path, {
    contentType: "application/json",
    body:
      body instanceof Uint8Array
        ? new Uint8Array(body)
        : new TextEncoder().encode(JSON.stringify(body)),
  });
const refusalOf = ({ result }: ForwardResponse) =>
  result.case === "refusal" ? result.value.reason : result.case;
const jsonOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as JsonValue;
const names = async () =>
  (await owner.database.query<{ name: string }>("select name from projects")).map(
    ({ name }) => name,
  );
const stepOf = (request: Forwarded) =>
  owner.forward(request).then(
    () => "none",
    (error: unknown) =>
      error instanceof Failure ? (error.metadata["step"] ?? error.reason) : String(error),
  );

/** What the answer's signature says, once it held under the owner's key. */
function claimsOf({ answer }: ForwardResponse) {
  if (!answer) throw new Error("not signed");
  const [key] = owner.deployment.answerKeys("secrets");
  const publicKey = publicKeyOf(key?.key ?? new Uint8Array());
  expect(verifyEd25519(publicKey, answerPreimage(answer.payload), answer.signature)).toBe(true);
  expect(answer.keyId).toBe(key?.keyId);
  return fromBinary(AnswerClaimsSchema, answer.payload);
}

test("an answer is in the encoding of its request, and signed over exactly its bytes", async () => {
  await owner.database.query("insert into projects values ('web', 'someone')");
  const credential = credentialOf();
  const binary = toBinary(ListProjectsRequestSchema, create(ListProjectsRequestSchema, {}));
  const reply = create(ListProjectsResponseSchema, { projects: [{ name: "web" }] });
  for (const [contentType, body, bytes] of [
    ["application/json", Buffer.from("{}"), Buffer.from('{"projects":[{"name":"web"}]}')],
    ["application/proto", binary, toBinary(ListProjectsResponseSchema, reply)],
    ["application/grpc", frameMessage(binary), toBinary(ListProjectsResponseSchema, reply)],
    ["application/grpc+proto", frameMessage(binary), toBinary(ListProjectsResponseSchema, reply)],
  ] as const) {
    const content = { contentType, body: new Uint8Array(body) };
    const signedRequest = owner.deployment.signRequest(user, listPath, content);
    const answer = await owner.forward({ signedRequest, credential });
    if (answer.result.case !== "response") throw new Error("refused");
    expect(Buffer.from(answer.result.value), contentType).toEqual(Buffer.from(bytes));
    const contentSha256 = new Uint8Array(createHash("sha256").update(bytes).digest());
    expect(claimsOf(answer)).toMatchObject({
      requestDigest: parseRequest(signedRequest).digest,
      keysetEpoch: 1,
      outcome: { case: "contentSha256", value: contentSha256 },
    });
  }
});

test("a refusal is signed with what the public may know of it, and no more", async () => {
  const taken = {
    signedRequest: signed(createPath, { name: "taken" }),
    credential: credentialOf(),
  };
  const refused = await owner.forward(taken);
  expect(refusalOf(refused)).toBe(Reason.ALREADY_EXISTS);
  const { outcome } = claimsOf(refused);
  expect(outcome).toMatchObject({
    case: "refusal",
    value: { reason: Reason.ALREADY_EXISTS, metadata: { field: "name" } },
  });
  if (outcome.case !== "refusal") throw new Error("not refused");
  expect(Object.keys(outcome.value.metadata)).toEqual(["field"]);
  expect(outcome.value).toEqual(refused.result.value);
});

test("a change is made and recorded before its answer", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  const answer = await owner.forward(request);
  if (answer.result.case !== "response") throw new Error("refused");
  const { project } = fromJson(CreateProjectResponseSchema, jsonOf(answer.result.value));
  expect(project?.name).toBe("web");
  expect(answer.requestDigest).toHaveLength(32);
  expect(owner.state.events).toEqual(["before", "changed", "after"]);
  expect(await owner.database.query("select maker from projects")).toEqual([
    { maker: user.userId },
  ]);
  expect(owner.state.received).toMatchObject({
    ...request,
    sourceIp: "192.0.2.1",
    client: "test/1",
    requestId,
  });
  expect(owner.state.received?.requestDigest).toEqual(answer.requestDigest);
});

test("an owner without hooks changes once, too", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  expect(refusalOf(await owner.forwardWithoutHooks(request))).toBe("response");
  expect(refusalOf(await owner.forwardWithoutHooks(request))).toBe(Reason.REQUEST_REJECTED);
  expect(owner.state.events).toEqual(["changed"]);
});

test("an owner that forgets to judge project roles changes nothing and tells nothing", async () => {
  await owner.database.query("insert into projects (name, maker) values ('web', 'usr')");
  owner.state.forgets = true;
  const projectId = "prj_0123456789abcdefghjk";
  const requests = [signed(listPath, {}), signed(deletePath, { projectId, name: "web" })];
  for (const signedRequest of requests) {
    const answer = owner.forward({ signedRequest, credential: credentialOf() });
    await expect(answer).rejects.toMatchObject({ reason: Reason.INTERNAL });
  }
  expect(await names()).toEqual(["web"]);
});

test("a replayed change is refused, told of, and changes nothing", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  await owner.forward(request);
  await owner.database.query("delete from projects");
  owner.state.events = [];
  expect(refusalOf(await owner.forward(request))).toBe(Reason.REQUEST_REJECTED);
  expect(await names()).toEqual([]);
  expect(owner.state.events).toEqual(["before", `replay of ${createPath} by ${user.userId}`]);
});

test("of the same request many times at once, one is done", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  const answers = await Promise.all(Array.from({ length: 8 }, () => owner.forward(request)));
  expect(answers.map(refusalOf).filter((outcome) => outcome === "response")).toHaveLength(1);
  expect(owner.state.events.filter((event) => event === "changed")).toHaveLength(1);
});

test("a change that failed leaves no mark: the same request may be sent again", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "taken" }),
    credential: credentialOf(),
  };
  expect(refusalOf(await owner.forward(request))).toBe(Reason.ALREADY_EXISTS);
  expect(refusalOf(await owner.forward(request))).toBe(Reason.ALREADY_EXISTS);
  expect(owner.state.events.filter((event) => event.startsWith("replay"))).toEqual([]);
});

test("nothing changes while the log is down", async () => {
  owner.state.logDown = true;
  const answer = await owner.forward({
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  });
  expect(refusalOf(answer)).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await names()).toEqual([]);
});

test("a mark outlives the window in which its request is accepted, and is forgotten afterwards", async () => {
  const marks = async () =>
    (await owner.database.query<{ at: Date }>("select expires_at as at from seen_requests")).length;
  await owner.database.query("delete from seen_requests");
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  await owner.forward(request);
  owner.state.nowMs = startMs + 65_000;
  expect(refusalOf(await owner.forward({ ...request, credential: credentialOf() }))).toBe(
    Reason.REQUEST_REJECTED,
  );
  owner.state.nowMs = startMs + 66_000;
  expect(await stepOf({ ...request, credential: credentialOf() })).toBe("created");
  owner.state.nowMs = startMs + 200_000;
  await owner.forward({
    signedRequest: signed(createPath, { name: "api" }),
    credential: credentialOf(),
  });
  expect(await marks()).toBe(1);
});

test("a sweep on the last millisecond of a request's window leaves its mark", async () => {
  owner.state.nowMs = startMs + 2_000_000;
  const request = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  };
  expect(refusalOf(await owner.forward(request))).toBe("response");
  owner.state.nowMs += 65_000;
  const other = { signedRequest: signed(createPath, { name: "api" }), credential: credentialOf() };
  expect(refusalOf(await owner.forward(other))).toBe("response");
  expect(refusalOf(await owner.forward({ ...request, credential: credentialOf() }))).toBe(
    Reason.REQUEST_REJECTED,
  );
});

test("marks are swept once a minute", async () => {
  owner.state.nowMs = startMs + 4_000_000;
  const change = async (name: string) => {
    await owner.forward({
      signedRequest: signed(createPath, { name }),
      credential: credentialOf(),
    });
    return (
      await owner.database.query("select from seen_requests where request_digest = $1", [old])
    ).length;
  };
  const old = new Uint8Array(32);
  await change("a");
  await owner.database.query("insert into seen_requests values ($1, $2)", [old, new Date(startMs)]);
  owner.state.nowMs += 59_999;
  expect(await change("b")).toBe(1);
  owner.state.nowMs += 1;
  expect(await change("c")).toBe(0);
});

test("the role table is asked again", async () => {
  const list = { signedRequest: signed(listPath, {}), credential: credentialOf(Role.AUDITOR) };
  expect(refusalOf(await owner.forward(list))).toBe("response");
  const create = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(Role.AUDITOR),
  };
  expect(refusalOf(await owner.forward(create))).toBe(Reason.ROLE_REQUIRED);
  expect(await names()).toEqual([]);
});

test("a key that is not enrolled reaches its own methods and no others", async () => {
  const publicKey = publicKeyOf(strangerSeed);
  const signer = {
    seed: strangerSeed,
    keyId: `key:${Buffer.from(publicKey).toString("base64url")}`,
  };
  const body = toJson(
    EnrollRequestSchema,
    create(EnrollRequestSchema, {
      vaultId: "vlt_0123456789abcdefghjk",
      admission: {
        case: "token",
        value: { tokenId: "tok_0123456789abcdefghjk", publicKey, proof: new Uint8Array(64) },
      },
      machinePublicKey: publicKey,
    }),
  );
  const answer = await owner.forward({
    signedRequest: signed("/sallyport.identity.v1.EnrollmentService/Enroll", body, signer),
  });
  if (answer.result.case !== "response") throw new Error("refused");
  const { machineName } = fromJson(EnrollResponseSchema, jsonOf(answer.result.value));
  expect(machineName).toBe(`${Buffer.from(publicKey).toString("hex")} nobody`);
  expect(await stepOf({ signedRequest: signed(createPath, { name: "web" }, signer) })).toBe("role");
});

test.each([
  ["signature", "no request at all", () => ({ credential: credentialOf() })],
  [
    "credential",
    "an enrolled keyid without a credential",
    () => ({ signedRequest: signed(createPath, { name: "web" }) }),
  ],
  [
    "binding",
    "another principal's credential",
    () => ({
      signedRequest: signed(
        createPath,
        { name: "web" },
        { seed: user.seed, keyId: "mch_0123456789abcdefghjk" },
      ),
      credential: credentialOf(),
    }),
  ],
  [
    "signature",
    "another key",
    () => ({
      signedRequest: signed(createPath, { name: "web" }, { seed: strangerSeed, keyId: user.keyId }),
      credential: credentialOf(),
    }),
  ],
  [
    "path",
    "another service's method",
    () => ({
      signedRequest: signed("/sallyport.policy.v1.GrantService/AddGrant", {}),
      credential: credentialOf(),
    }),
  ],
])("evidence is refused at %s: %s", async (step, _, request) => {
  expect(await stepOf(request())).toBe(step);
  expect(owner.state.events).toEqual([]);
});

test("a malformed body and a broken bound are told to the signer", async () => {
  const send = async (body: unknown) => {
    const { result } = await owner.forward({
      signedRequest: signed(createPath, body),
      credential: credentialOf(),
    });
    if (result.case !== "refusal") return result.case;
    const { reason, metadata } = result.value;
    return [reason, metadata["field"], metadata["description"]];
  };
  const malformed = [
    Reason.FIELD_INVALID,
    "body",
    "is malformed, or has unknown or repeated fields",
  ];
  expect(await send({ name: "web", color: "red" })).toEqual(malformed);
  expect(await send(new TextEncoder().encode('{"name":"a","name":"b"}'))).toEqual(malformed);
  expect(await send({ name: "not a name" })).toEqual([
    Reason.FIELD_INVALID,
    "name",
    expect.any(String),
  ]);
});

test("a fault of our own is INTERNAL and says nothing", async () => {
  const request = {
    signedRequest: signed("/sallyport.secrets.v1.ProjectService/GetProject", { name: "web" }),
    credential: credentialOf(),
  };
  await expect(owner.forward(request)).rejects.toMatchObject({
    reason: Reason.INTERNAL,
    metadata: { request_id: requestId },
  });
});

test("a reason that concerns processes alone is INTERNAL to a client, and is not signed", async () => {
  const request = {
    signedRequest: signed(createPath, { name: "unreachable" }),
    credential: credentialOf(),
  };
  await expect(owner.forward(request)).rejects.toMatchObject({ reason: Reason.INTERNAL });
  expect(await names()).toEqual([]);
});

test("a fault that says so is INTERNAL, and evidence that an owner finds not to hold is EVIDENCE_INVALID", async () => {
  const send = (method: string, body: object) => {
    const signedRequest = signed(`/sallyport.secrets.v1.ProjectService/${method}`, body);
    return owner.forward({ signedRequest, credential: credentialOf() });
  };
  const projectId = "prj_0123456789abcdefghjk";
  await expect(send("RestoreProject", { projectId })).rejects.toMatchObject({
    reason: Reason.INTERNAL,
  });
  await expect(send("DeleteProject", { projectId, name: "web" })).rejects.toMatchObject({
    reason: Reason.EVIDENCE_INVALID,
    metadata: { step: "permit" },
  });
});
