import { createHash } from "node:crypto";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ConnectRouter,
  type Interceptor,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { type Database, type Tx, openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ForwardResponse,
  ForwardService,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import {
  KeyUse,
  KeysetClaimsSchema,
  KeysetSchema,
  PrincipalKind,
  Role,
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  EnrollRequestSchema,
  EnrollResponseSchema,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  CreateProjectResponseSchema,
  ProjectService,
} from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import {
  contentDigest,
  keysetPreimage,
  rootFingerprint,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { Failure, fail, failureOf, toConnectError } from "@sallyport/rpc";
import { createServiceDatabase } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { signCredential } from "./credential.ts";
import { publicKeyOf, signEd25519 } from "./ed25519.ts";
import { EvidenceError } from "./evidence-error.ts";
import { type ForwardContext, forwardMethods } from "./forward-methods.ts";
import { createForwarder } from "./forward.ts";
import { loadTrust } from "./trust.ts";

const startMs = 1_764_000_000_000;
const seeds = { root: seed(1), identity: seed(2), user: seed(3), stranger: seed(4) };
const userId = "usr_0123456789abcdefghjk";
const userKeyId = `${userId}.kjhgfedcba9876543210`;
const createPath = "/sallyport.secrets.v1.ProjectService/CreateProject";
const requestId = "req_0123456789abcdefghjk";
const listPath = "/sallyport.secrets.v1.ProjectService/ListProjects";

let nowMs = startMs;
let events: string[] = [];
let logDown = false;
let changedIn: Tx | undefined;
let received: ForwardContext | undefined;
let stack: AsyncDisposableStack;
let database: Database;
let forward: (request: Forwarded) => Promise<ForwardResponse>;
let forwardWithoutHooks: typeof forward;

type Forwarded = { signedRequest?: SignedRequest; credential?: ReturnType<typeof credentialOf> };

function seed(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

function trust() {
  const uses = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG];
  const keys = uses.map((use) => ({ keyId: "identity-1", use, publicKey: publicKeyOf(seeds.identity) }));
  const claims = create(KeysetClaimsSchema, { epoch: 1, notAfter: timestampFromMs(startMs + 1e9), keys });
  const payload = toBinary(KeysetClaimsSchema, claims);
  const rootPublicKey = publicKeyOf(seeds.root);
  const signature = signEd25519(seeds.root, keysetPreimage(payload));
  const keyset = toBinary(KeysetSchema, create(KeysetSchema, { payload, rootPublicKey, signature }));
  return loadTrust(keyset, rootFingerprint(rootPublicKey), startMs);
}

function credentialOf(role: Role = Role.ADMIN) {
  const claims = {
    principalId: userId,
    kind: PrincipalKind.USER,
    vaultId: "vlt_0123456789abcdefghjk",
    publicKey: publicKeyOf(seeds.user),
    keyId: userKeyId,
    role,
    issuedAt: timestampFromMs(nowMs),
    expiresAt: timestampFromMs(nowMs + 60_000),
    serial: new Uint8Array(16),
  };
  return signCredential(claims, { keyId: "identity-1", seed: seeds.identity });
}

let nonces = 0;

function signed(path: string, body: unknown, signer = { seed: seeds.user, keyId: userKeyId }): SignedRequest {
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  nonces += 1;
  const nonce = createHash("sha256").update(String(nonces)).digest().subarray(0, 16).toString("base64url");
  const params = signatureParams({ created: Math.floor(nowMs / 1000), nonce, keyId: signer.keyId });
  const covered = {
    method: "POST",
    authority: "sallyport.example:8443",
    path,
    contentType: "application/json",
    contentDigest: contentDigest(bytes),
  };
  const signature = Buffer.from(
    signEd25519(signer.seed, signatureBase({ ...covered, signatureParams: params })),
  );
  return create(SignedRequestSchema, {
    ...covered,
    signatureInput: `sp=${params}`,
    signature: `sp=:${signature.toString("base64")}:`,
    body: bytes,
  });
}

const projects = forwardMethods(ProjectService, {
  async createProject(context, { name }) {
    received = context;
    return context.mutate(async (tx) => {
      if (name === "taken") throw fail(Reason.ALREADY_EXISTS, { field: "name" });
      await tx.query("insert into projects (name, maker) values ($1, $2)", [name, context.principal?.id]);
      events.push("changed");
      changedIn = tx;
      return { project: { name } };
    });
  },
  getProject: () => Promise.reject(new Error("select broke")),
  async listProjects() {
    const rows = await database.query<{ name: string }>("select name from projects order by name");
    return { projects: rows.map(({ name }) => ({ name })) };
  },
  deleteProject: () => Promise.reject(new EvidenceError("permit", "it is expired")),
  restoreProject: () =>
    Promise.reject(fail(Reason.INTERNAL, { request_id: requestId }, new Error("insert broke"))),
});

const enrollment = forwardMethods(EnrollmentService, {
  enroll: ({ newKey, principal }) =>
    Promise.resolve({
      machineName: `${Buffer.from(newKey ?? []).toString("hex")} ${principal?.id ?? "nobody"}`,
    }),
  createToken: () => Promise.resolve({}),
  getToken: () => Promise.resolve({}),
  listTokens: () => Promise.resolve({}),
  revokeToken: () => Promise.resolve({}),
});

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const urls = stack.use(await createServiceDatabase("secrets"));
  await using owner = openDatabase({ url: urls.ownerUrl, applicationName: "test" });
  await owner.query(
    "create table seen_requests (request_digest bytea primary key, expires_at timestamptz not null)",
  );
  await owner.query("create table projects (name text primary key, maker text not null)");
  await owner.query("grant select, insert, delete on seen_requests, projects to sallyport_secrets");
  database = stack.use(openDatabase({ url: urls.servingUrl, applicationName: "test" }));
  const note = (event: string) => async () => {
    events.push(event);
    if (logDown) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  const options = {
    trust: trust(),
    authorities: ["sallyport.example:8443"],
    windowSeconds: 60,
    clock: () => nowMs,
    database,
    methods: [projects, enrollment],
  };
  forwardWithoutHooks = forwarding(createForwarder(options));
  const forwarder = createForwarder({
    ...options,
    beforeMutation: note("before"),
    afterCommit: (own) => note(own === changedIn ? "after" : "after another change")(),
    onReplay: async ({ principal, signedRequest }) => {
      events.push(`replay of ${signedRequest.path} by ${principal?.id ?? "a stranger"}`);
    },
  });
  forward = forwarding(forwarder);
});

/** Calls a forwarder as its peer does, without the network. */
function forwarding(forwarder: ReturnType<typeof createForwarder>): typeof forward {
  // The error boundary of a real server, without its network.
  const boundary: Interceptor = (next) => (request) =>
    next(request).catch((error: unknown) => {
      throw toConnectError(error instanceof Failure ? error : fail(Reason.INTERNAL, {}, error), requestId);
    });
  const routes = (router: ConnectRouter) => void router.service(ForwardService, forwarder);
  const client = createClient(
    ForwardService,
    createRouterTransport(routes, { router: { interceptors: [boundary] } }),
  );
  return (request) =>
    client
      .forward({ sourceIp: "192.0.2.1", client: "test/1", requestId, ...request })
      .catch((error: unknown) => {
        throw failureOf(error);
      });
}

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  nowMs = startMs;
  events = [];
  logDown = false;
  await database.query("delete from projects");
});

const refusalOf = ({ result }: ForwardResponse) =>
  result.case === "refusal" ? result.value.reason : result.case;
const names = async () =>
  (await database.query<{ name: string }>("select name from projects")).map(({ name }) => name);
const stepOf = (request: Forwarded) =>
  forward(request).then(
    () => "none",
    (error: unknown) => (error instanceof Failure ? (error.metadata["step"] ?? error.reason) : String(error)),
  );

test("a change is made and recorded before its answer", async () => {
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  const answer = await forward(request);
  if (answer.result.case !== "response") throw new Error("refused");
  expect(fromBinary(CreateProjectResponseSchema, answer.result.value).project?.name).toBe("web");
  expect(answer.requestDigest).toHaveLength(32);
  expect(events).toEqual(["before", "changed", "after"]);
  expect(await database.query("select maker from projects")).toEqual([{ maker: userId }]);
  expect(received).toMatchObject({ ...request, sourceIp: "192.0.2.1", client: "test/1", requestId });
  expect(received?.requestDigest).toEqual(answer.requestDigest);
});

test("an owner without hooks changes once, too", async () => {
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  expect(refusalOf(await forwardWithoutHooks(request))).toBe("response");
  expect(refusalOf(await forwardWithoutHooks(request))).toBe(Reason.REQUEST_REJECTED);
  expect(events).toEqual(["changed"]);
});

test("a replayed change is refused, told of, and changes nothing", async () => {
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  await forward(request);
  await database.query("delete from projects");
  events = [];
  expect(refusalOf(await forward(request))).toBe(Reason.REQUEST_REJECTED);
  expect(await names()).toEqual([]);
  expect(events).toEqual(["before", `replay of ${createPath} by ${userId}`]);
});

test("of the same request many times at once, one is done", async () => {
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  const answers = await Promise.all(Array.from({ length: 8 }, () => forward(request)));
  expect(answers.map(refusalOf).filter((outcome) => outcome === "response")).toHaveLength(1);
  expect(events.filter((event) => event === "changed")).toHaveLength(1);
});

test("a change that failed leaves no mark: the same request may be sent again", async () => {
  const request = { signedRequest: signed(createPath, { name: "taken" }), credential: credentialOf() };
  expect(refusalOf(await forward(request))).toBe(Reason.ALREADY_EXISTS);
  expect(refusalOf(await forward(request))).toBe(Reason.ALREADY_EXISTS);
  expect(events.filter((event) => event.startsWith("replay"))).toEqual([]);
});

test("nothing changes while the log is down", async () => {
  logDown = true;
  const answer = await forward({
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(),
  });
  expect(refusalOf(answer)).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await names()).toEqual([]);
});

test("a mark outlives the window in which its request is accepted, and is forgotten afterwards", async () => {
  const marks = async () =>
    (await database.query<{ at: Date }>("select expires_at as at from seen_requests")).length;
  await database.query("delete from seen_requests");
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  await forward(request);
  nowMs = startMs + 65_000;
  expect(refusalOf(await forward({ ...request, credential: credentialOf() }))).toBe(Reason.REQUEST_REJECTED);
  nowMs = startMs + 66_000;
  expect(await stepOf({ ...request, credential: credentialOf() })).toBe("created");
  nowMs = startMs + 200_000;
  await forward({ signedRequest: signed(createPath, { name: "api" }), credential: credentialOf() });
  expect(await marks()).toBe(1);
});

test("a sweep on the last millisecond of a request's window leaves its mark", async () => {
  nowMs = startMs + 2_000_000;
  const request = { signedRequest: signed(createPath, { name: "web" }), credential: credentialOf() };
  expect(refusalOf(await forward(request))).toBe("response");
  nowMs += 65_000;
  const other = { signedRequest: signed(createPath, { name: "api" }), credential: credentialOf() };
  expect(refusalOf(await forward(other))).toBe("response");
  expect(refusalOf(await forward({ ...request, credential: credentialOf() }))).toBe(Reason.REQUEST_REJECTED);
});

test("marks are swept once a minute", async () => {
  nowMs = startMs + 4_000_000;
  const change = async (name: string) => {
    await forward({ signedRequest: signed(createPath, { name }), credential: credentialOf() });
    return (await database.query("select from seen_requests where request_digest = $1", [old])).length;
  };
  const old = new Uint8Array(32);
  await change("a");
  await database.query("insert into seen_requests values ($1, $2)", [old, new Date(startMs)]);
  nowMs += 59_999;
  expect(await change("b")).toBe(1);
  nowMs += 1;
  expect(await change("c")).toBe(0);
});

test("the role table is asked again", async () => {
  const list = { signedRequest: signed(listPath, {}), credential: credentialOf(Role.AUDITOR) };
  expect(refusalOf(await forward(list))).toBe("response");
  const create = {
    signedRequest: signed(createPath, { name: "web" }),
    credential: credentialOf(Role.AUDITOR),
  };
  expect(refusalOf(await forward(create))).toBe(Reason.ROLE_REQUIRED);
  expect(await names()).toEqual([]);
});

test("a key that is not enrolled reaches its own methods and no others", async () => {
  const publicKey = publicKeyOf(seeds.stranger);
  const signer = { seed: seeds.stranger, keyId: `key:${Buffer.from(publicKey).toString("base64url")}` };
  const body = toJson(
    EnrollRequestSchema,
    create(EnrollRequestSchema, {
      vaultId: "vlt_0123456789abcdefghjk",
      tokenId: "tok_0123456789abcdefghjk",
      tokenPublicKey: publicKey,
      tokenProof: new Uint8Array(64),
      machinePublicKey: publicKey,
    }),
  );
  const answer = await forward({
    signedRequest: signed("/sallyport.identity.v1.EnrollmentService/Enroll", body, signer),
  });
  if (answer.result.case !== "response") throw new Error("refused");
  const { machineName } = fromBinary(EnrollResponseSchema, answer.result.value);
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
        { seed: seeds.user, keyId: "mch_0123456789abcdefghjk" },
      ),
      credential: credentialOf(),
    }),
  ],
  [
    "signature",
    "another key",
    () => ({
      signedRequest: signed(createPath, { name: "web" }, { seed: seeds.stranger, keyId: userKeyId }),
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
  expect(events).toEqual([]);
});

test("a malformed body and a broken bound are told to the signer", async () => {
  const send = async (body: unknown) => {
    const { result } = await forward({ signedRequest: signed(createPath, body), credential: credentialOf() });
    if (result.case !== "refusal") return result.case;
    const { reason, metadata } = result.value;
    return [reason, metadata["field"], metadata["description"]];
  };
  const malformed = [Reason.FIELD_INVALID, "body", "is malformed, or has unknown or repeated fields"];
  expect(await send({ name: "web", color: "red" })).toEqual(malformed);
  expect(await send(new TextEncoder().encode('{"name":"a","name":"b"}'))).toEqual(malformed);
  expect(await send({ name: "not a name" })).toEqual([Reason.FIELD_INVALID, "name", expect.any(String)]);
});

test("a fault of our own is INTERNAL and says nothing", async () => {
  const request = {
    signedRequest: signed("/sallyport.secrets.v1.ProjectService/GetProject", { name: "web" }),
    credential: credentialOf(),
  };
  await expect(forward(request)).rejects.toMatchObject({
    reason: Reason.INTERNAL,
    metadata: { request_id: requestId },
  });
});

test("a fault that says so is INTERNAL, and evidence that an owner finds not to hold is EVIDENCE_INVALID", async () => {
  const send = (method: string, body: object) => {
    const signedRequest = signed(`/sallyport.secrets.v1.ProjectService/${method}`, body);
    return forward({ signedRequest, credential: credentialOf() });
  };
  const projectId = "prj_0123456789abcdefghjk";
  await expect(send("RestoreProject", { projectId })).rejects.toMatchObject({ reason: Reason.INTERNAL });
  await expect(send("DeleteProject", { projectId, name: "web" })).rejects.toMatchObject({
    reason: Reason.EVIDENCE_INVALID,
    metadata: { step: "permit" },
  });
});
