import { createClient } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { Failure } from "@sallyport/rpc";
import { testRedisUrl } from "@sallyport/test/infra";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { createBuckets } from "@sallyport/rate-limit";
import {
  type TestKey,
  createTestTrust,
  newKey,
  newMachine,
  newUser,
  signatureHeaders,
} from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";
import { startTestRedis } from "../testing/redis.ts";
import {
  type ArrivedRequest,
  type ChecklistParts,
  ReplayError,
  verifyArrived,
} from "./checklist.ts";
import { createKeyCache } from "./key-cache.ts";
import { type NonceStore, connectNonces } from "./nonces.ts";
import { type Known, StepRefusal, type Step } from "./step-refusal.ts";
import { createContentMemory } from "../limits/content-memory.ts";

const authority = "sallyport.example:8443";
const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const enrollPath = "/sallyport.identity.v1.EnrollmentService/Enroll";
const createPath = "/sallyport.secrets.v1.ProjectService/CreateProject";
const trust = createTestTrust();
let nonces: NonceStore;
let peers: TestPeers;
let parts: ChecklistParts;
let progress: Known & { readonly step?: Step; readonly replayed?: true };
let freed: string[];
let placed: string[];
let offsetMs: number;

beforeAll(async () => {
  nonces = connectNonces(testRedisUrl(), 60);
  await nonces.ready();
  return () => nonces[Symbol.asyncDispose]();
});

beforeEach(() => {
  peers = createTestPeers(trust);
  progress = {};
  placed = [];
  freed = [];
  offsetMs = 0;
  const clock = () => Date.now() + offsetMs;
  const plenty = { perSecond: 1000, burst: 1000 };
  parts = {
    authorities: [authority],
    windowSeconds: 60,
    clock,
    addresses: createBuckets(plenty, clock),
    newKeyAddresses: createBuckets(plenty, clock),
    lookUpAddresses: createBuckets(plenty, clock),
    principalRates: { read: plenty, manage: plenty },
    memory: createContentMemory(1024 * 1024),
    concurrency: { acquire: () => slot() },
    keys: createKeyCache(createClient(KeyService, peers.transports.keys), {
      time: clock,
      steady: clock,
    }),
    nonces,
  };
});

/** A concurrency slot that notes what becomes of it. */
function slot(countFor = (principalId: string) => void placed.push(principalId)) {
  placed.push("taken");
  return {
    countFor,
    run: <T>(work: () => Promise<T>) => work(),
    [Symbol.asyncDispose]: () => Promise.resolve(void freed.push("freed")),
  };
}

type Changes = {
  readonly path?: string;
  readonly createdSeconds?: number;
  readonly contentType?: string;
  readonly body?: Uint8Array;
};

function arrived(
  key: TestKey,
  { path = readPath, createdSeconds, contentType, body }: Changes = {},
) {
  const sent = body ?? Buffer.from("{}");
  const covered = {
    authority,
    path,
    contentType: contentType ?? "application/json",
    body: sent,
    createdSeconds,
  };
  const headers = Object.entries({
    host: authority,
    "content-type": covered.contentType,
    ...signatureHeaders(key, covered),
  });
  return {
    method: "POST",
    url: path,
    rawHeaders: headers.flat(),
    sourceIp: "192.0.2.1",
    client: "test/1",
    readBody: (_memory) => Promise.resolve(sent),
  } satisfies ArrivedRequest;
}

async function verify(request: ArrivedRequest) {
  await using held = new AsyncDisposableStack();
  return (await verifyArrived(request, parts, held)).request;
}

async function refusalOf(request: ArrivedRequest): Promise<Failure | EvidenceError> {
  progress = {};
  const thrown: unknown = await verify(request).catch((error: unknown) => error);
  if (!(thrown instanceof StepRefusal)) throw new Error("it was not refused", { cause: thrown });
  const { step, known, cause: refused } = thrown;
  progress = { step, ...known, ...(refused instanceof ReplayError && { replayed: true }) };
  if (refused instanceof Failure || refused instanceof EvidenceError) return refused;
  throw new Error("it was not refused", { cause: refused });
}

test("a well signed request is verified once; its refusal carries what was known", async () => {
  const machine = peers.enroll(newMachine());
  const request = arrived(machine);
  const verified = await verify(request);
  const body = Buffer.from("{}");
  expect(verified).toMatchObject({
    keyId: machine.keyId,
    sourceIp: "192.0.2.1",
    client: "test/1",
    principal: { claims: { principalId: machine.principalId } },
    signedRequest: { method: "POST", authority, path: readPath, body },
  });
  expect(verified.digest).toHaveLength(32);
  const replay = await refusalOf(request);
  expect(replay).toMatchObject({
    reason: Reason.REQUEST_REJECTED,
    metadata: {},
    cause: { message: "the nonce was used before" },
  });
  expect(progress).toEqual({
    step: "admission",
    replayed: true,
    claimedKeyId: machine.keyId,
    knownKeyId: machine.keyId,
    digest: verified.digest,
    claims: verified.principal?.claims,
  });
});

test("an address has its limit, before anything is read", async () => {
  parts = { ...parts, addresses: createBuckets({ perSecond: 1, burst: 1 }, () => 1000) };
  const machine = peers.enroll(newMachine());
  await verify(arrived(machine));
  let read = false;
  const second = { ...arrived(machine), readBody: async () => ((read = true), new Uint8Array()) };
  expect(await refusalOf(second)).toMatchObject({
    reason: Reason.RATE_LIMITED,
    retryAfterMs: 1000,
  });
  expect(read).toBe(false);
  expect(progress).toEqual({ step: "address" });
  await verify({ ...arrived(machine), sourceIp: "192.0.2.2" });
});

test("a slot is taken before the content is looked at, counted for the holder of the key, and given back", async () => {
  const machine = peers.enroll(newMachine());
  await verify(arrived(machine));
  await verify(arrived(newKey(), { path: enrollPath }));
  await refusalOf(arrived({ ...newKey(), keyId: machine.keyId }));
  expect(placed).toEqual(["taken", machine.principalId, "taken", "taken"]);
  expect(freed).toHaveLength(3);

  const none = () => {
    throw new Failure(Reason.DEPENDENCY_UNAVAILABLE);
  };
  const good = arrived(machine);
  const roomy = parts;
  parts = { ...roomy, concurrency: { acquire: none } };
  expect(await refusalOf(good)).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(progress).toEqual({ step: "concurrency", claimedKeyId: machine.keyId });
  parts = { ...roomy, concurrency: { acquire: () => slot(none) } };
  expect(await refusalOf(good)).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(progress).toMatchObject({
    step: "concurrency",
    claims: { principalId: machine.principalId },
  });
  expect(freed).toHaveLength(4);
  parts = roomy;
  await verify(good); // Its nonce was not spent.
});

test.each([
  {
    step: "content",
    reason: Reason.TOO_LARGE,
    change: (request: ArrivedRequest) => ({
      ...request,
      readBody: () => Promise.reject(new Failure(Reason.TOO_LARGE)),
    }),
  },
  {
    step: "head",
    reason: Reason.FIELD_INVALID,
    change: (request: ArrivedRequest) => ({ ...request, method: "GET" }),
  },
  {
    step: "head",
    reason: Reason.FIELD_INVALID,
    change: (request: ArrivedRequest) => ({
      ...request,
      rawHeaders: [...request.rawHeaders, "content-encoding", "gzip"],
    }),
  },
  {
    step: "content-digest",
    reason: Reason.REQUEST_REJECTED,
    change: (request: ArrivedRequest) => ({
      ...request,
      readBody: () => Promise.resolve(Buffer.from("[]")),
    }),
  },
])(
  "a refusal at $step names it, and asks identity about nobody",
  async ({ step, reason, change }) => {
    const asked: string[] = [];
    peers.steps.resolveKeys = ({ keyIds }) => {
      asked.push(...keyIds);
      return { results: [] };
    };
    expect(await refusalOf(change(arrived(newMachine())))).toMatchObject({ reason });
    expect(progress.step).toBe(step);
    expect(progress.knownKeyId).toBeUndefined();
    expect(asked).toEqual([]);
  },
);

const nowSeconds = () => Math.floor(Date.now() / 1000);
const without = (request: ArrivedRequest, name: string): ArrivedRequest => ({
  ...request,
  rawHeaders: request.rawHeaders.flatMap((given, at, all) =>
    at % 2 === 0 && given !== name ? [given, all[at + 1] ?? ""] : [],
  ),
});

test.each<[string, (key: TestKey) => ArrivedRequest, Reason]>([
  ["another method", (key) => ({ ...arrived(key), method: "GET" }), Reason.FIELD_INVALID],
  ["no signature", (key) => without(arrived(key), "signature"), Reason.REQUEST_REJECTED],
  [
    "no signature-input",
    (key) => without(arrived(key), "signature-input"),
    Reason.REQUEST_REJECTED,
  ],
  [
    "two signatures",
    (key) => ({
      ...arrived(key),
      rawHeaders: [...arrived(key).rawHeaders, "signature", "sp=:AA==:"],
    }),
    Reason.REQUEST_REJECTED,
  ],
  [
    "another content type",
    (key) => arrived(key, { contentType: "text/plain" }),
    Reason.FIELD_INVALID,
  ],
  ["a new key for a read", () => arrived(newKey()), Reason.REQUEST_REJECTED],
  [
    "a time long gone",
    (key) => arrived(key, { createdSeconds: nowSeconds() - 61 }),
    Reason.CLOCK_SKEW,
  ],
])("a head with %s is refused before its content is read", async (_, requestOf, reason) => {
  let read = false;
  const request = requestOf(peers.enroll(newMachine()));
  const readBody: typeof request.readBody = async (memory) => (
    (read = true),
    request.readBody(memory)
  );
  expect(await refusalOf({ ...request, readBody })).toMatchObject({ reason });
  expect(read).toBe(false);
  expect(placed).toEqual([]);
});

test("keyids that identity does not know are looked up within their address's limit", async () => {
  parts = { ...parts, lookUpAddresses: createBuckets({ perSecond: 1, burst: 2 }, () => 1000) };
  const asked: string[] = [];
  const { resolveKeys } = peers.steps;
  peers.steps.resolveKeys = (request, context) => {
    asked.push(...request.keyIds);
    return resolveKeys(request, context);
  };
  const reasons: Reason[] = [];
  for (let n = 0; n < 4; n += 1) {
    const refused = await refusalOf(arrived(newMachine()));
    if (refused instanceof Failure) reasons.push(refused.reason);
  }
  const { REQUEST_REJECTED, RATE_LIMITED } = Reason;
  expect(reasons).toEqual([REQUEST_REJECTED, REQUEST_REJECTED, RATE_LIMITED, RATE_LIMITED]);
  expect(asked).toHaveLength(2);
  // Those of known keyids cost nothing.
  for (let n = 0; n < 4; n += 1)
    await verify({ ...arrived(peers.enroll(newMachine())), sourceIp: "192.0.2.2" });
});

test("another body's digest is told apart in the log", async () => {
  const request = arrived(newMachine());
  const refused = await refusalOf({
    ...request,
    readBody: () => Promise.resolve(Buffer.from("[]")),
  });
  expect(refused.cause).toMatchObject({ message: "content-digest differs" });
});

test("content of gRPC must be one frame", async () => {
  const contentType = "application/grpc";
  expect(await refusalOf(arrived(newMachine(), { contentType }))).toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "body" },
  });
  const body = Uint8Array.of(0, 0, 0, 0, 0);
  const machine = peers.enroll(newMachine());
  expect((await verify(arrived(machine, { contentType, body }))).keyId).toBe(machine.keyId);
});

test.each([60, -60])(
  "the window's edge, %i s, is inside, and what is past it is told the time",
  async (seconds) => {
    const machine = peers.enroll(newMachine());
    const nowSeconds = Math.floor(Date.now() / 1000);
    const at = (offset: number) => {
      parts = { ...parts, clock: () => (nowSeconds + offset) * 1000 };
      // A nonce store knows no test's clock: it is asked about a request that was created now.
      return arrived(machine, { createdSeconds: nowSeconds });
    };
    expect(await verify(at(seconds))).toMatchObject({ keyId: machine.keyId });
    const past = await refusalOf(at(seconds + Math.sign(seconds) / 1000));
    expect(past).toMatchObject({
      reason: Reason.CLOCK_SKEW,
      metadata: {
        server_time: new Date(
          (nowSeconds + seconds + Math.sign(seconds) / 1000) * 1000,
        ).toISOString(),
      },
    });
    expect(progress).toEqual({ step: "created", claimedKeyId: machine.keyId });
  },
);

test("a signature of another key is refused, of a name that identity knows", async () => {
  const machine = peers.enroll(newMachine());
  expect(await refusalOf(arrived({ ...newKey(), keyId: machine.keyId }))).toMatchObject({
    step: "signature",
  });
  expect(progress).toEqual({ step: "key", claimedKeyId: machine.keyId, knownKeyId: machine.keyId });
});

test("a public name that is not ours is refused, however well signed", async () => {
  const machine = peers.enroll(newMachine());
  parts = { ...parts, authorities: ["elsewhere.example"] };
  expect(await refusalOf(arrived(machine))).toMatchObject({ step: "authority" });
});

test("a name that identity does not know stays a claim", async () => {
  const machine = newMachine();
  expect(await refusalOf(arrived(machine))).toMatchObject({ reason: Reason.REQUEST_REJECTED });
  expect(progress).toEqual({ step: "key", claimedKeyId: machine.keyId });
});

test("only the holder of the key learns that its machine is disabled", async () => {
  const machine = peers.enroll(newMachine(), Reason.MACHINE_DISABLED);
  expect(await refusalOf(arrived({ ...newKey(), keyId: machine.keyId }))).toMatchObject({
    step: "signature",
  });
  expect(progress.knownKeyId).toBe(machine.keyId);
  expect(await refusalOf(arrived(machine))).toMatchObject({ reason: Reason.MACHINE_DISABLED });
  expect(progress).toMatchObject({ step: "principal", knownKeyId: machine.keyId });
  expect(progress.digest).toHaveLength(32);
  expect(progress.claims).toBeUndefined();
});

test("a key that is not enrolled enrolls, within its address's own limit, and is never known", async () => {
  parts = { ...parts, newKeyAddresses: createBuckets({ perSecond: 1, burst: 1 }, () => 1000) };
  const verified = await verify(arrived(newKey(), { path: enrollPath }));
  expect(verified.principal).toBeUndefined();
  expect(await refusalOf(arrived(newKey(), { path: enrollPath }))).toMatchObject({
    reason: Reason.RATE_LIMITED,
    retryAfterMs: 1000,
  });
  expect(progress.step).toBe("key");
  expect(progress.knownKeyId).toBeUndefined();
  expect(progress.claims).toBeUndefined();
  await verify(arrived(peers.enroll(newMachine())));
});

test("a principal has one limit for reads and another for the rest", async () => {
  const owner = peers.enroll(newUser(Role.OWNER));
  const [machine, other] = [peers.enroll(newMachine()), peers.enroll(newMachine())];
  const one = { perSecond: 0.01, burst: 1 };
  parts = { ...parts, principalRates: { read: one, manage: { perSecond: 0.01, burst: 2 } } };
  await verify(arrived(machine));
  const refused = await refusalOf(arrived(machine));
  expect(refused).toMatchObject({ reason: Reason.RATE_LIMITED });
  expect(refused instanceof Failure && refused.retryAfterMs).toBeGreaterThan(90_000);
  expect(progress).toMatchObject({ step: "admission" });
  expect(progress.replayed).toBeUndefined();
  await verify(arrived(other));
  for (let n = 0; n < 2; n += 1) await verify(arrived(owner, { path: createPath }));
  expect(await refusalOf(arrived(owner, { path: createPath }))).toMatchObject({
    reason: Reason.RATE_LIMITED,
  });
});

test("a key that is not enrolled has no principal's limit", async () => {
  const none = { perSecond: 0.01, burst: 0 };
  parts = { ...parts, principalRates: { read: none, manage: none } };
  expect((await verify(arrived(newKey(), { path: enrollPath }))).principal).toBeUndefined();
  expect(await refusalOf(arrived(peers.enroll(newMachine())))).toMatchObject({
    reason: Reason.RATE_LIMITED,
  });
});

test("a request from before the store's memory is told the time, and no delay when none is needed", async () => {
  const machine = peers.enroll(newMachine());
  const early = arrived(machine, { createdSeconds: 1_000_000_000 });
  parts = { ...parts, windowSeconds: 2_000_000_000 };
  const refused = await refusalOf(early);
  expect(refused).toMatchObject({ reason: Reason.CLOCK_SKEW });
  expect(refused instanceof Failure && refused.metadata["server_time"]).toMatch(
    /^\d{4}-\d\d-\d\dT/,
  );
  expect(refused instanceof Failure && refused.retryAfterMs).toBeUndefined();
  expect(progress.step).toBe("admission");
});

test("a request from a second before the store's memory begins is told how long that is", async () => {
  await using redis = await startTestRedis();
  await using young = connectNonces(redis.url, 60);
  parts = { ...parts, nonces: young };
  const refused = await refusalOf(arrived(peers.enroll(newMachine())));
  expect(refused).toMatchObject({ reason: Reason.CLOCK_SKEW });
  expect(refused instanceof Failure && refused.retryAfterMs).toBeGreaterThan(0);
  expect(refused instanceof Failure && refused.retryAfterMs).toBeLessThanOrEqual(1000);
});

test.each([
  ["a machine may not create a project", createPath, () => newMachine()],
  ["an auditor may not create a project", createPath, () => newUser(Role.AUDITOR)],
  ["a user may not read", readPath, () => newUser(Role.OWNER)],
] as const)("%s", async (_, path, made) => {
  expect(await refusalOf(arrived(peers.enroll(made()), { path }))).toMatchObject({
    reason: Reason.ROLE_REQUIRED,
    metadata: {},
  });
  expect(progress.step).toBe("role");
});
