import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestPrincipal, newKey, newMachine, newUser } from "../testing/keys.ts";
import {
  type PublicRefusal,
  type Sent,
  type Wire,
  encode,
  readAnswer,
  wires,
} from "../testing/wires.ts";
import { limitsOf } from "../limits/method-limits.ts";
import { methodPath } from "@sallyport/proto/names/method-path";

let pki: TestPki;
let gateway: TestGateway;
let machine: TestPrincipal;
const { readSecrets } = ReadService.method;
const { contentBytes } = limitsOf(methodPath(readSecrets));

beforeAll(async () => {
  pki = await createTestPki();
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
  machine = gateway.peers.enroll(newMachine());
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});
beforeEach(() => void gateway.peers.reached.splice(0));

/** A read that would be answered if nothing were changed about it. */
function goodRead(wire: Wire, unsigned: Parameters<typeof signedRequest>[5] = {}): Sent {
  return signedRequest(
    wire,
    gateway,
    machine,
    readSecrets,
    { secretIds: [newId("sec")] },
    unsigned,
  );
}

function bodyOf(wire: Wire): Uint8Array {
  const message = create(ReadSecretsRequestSchema, { secretIds: [newId("sec")] });
  return encode(wire.contentType, ReadSecretsRequestSchema, message);
}

async function refusalOf(wire: Wire, sent: Sent): Promise<PublicRefusal> {
  const answer = readAnswer(readSecrets.output, await wire.send(gateway, sent));
  if (answer.kind !== "refusal") throw new Error("the request was answered");
  return answer.refusal;
}

const now = () => Math.floor(Date.now() / 1000);
const without = (sent: Sent, name: string): Sent => ({
  ...sent,
  headers: sent.headers.filter(([header]) => header !== name),
});
const withHeader = (sent: Sent, name: string, value: string): Sent => ({
  ...sent,
  headers: [...sent.headers, [name, value]],
});
const changed = (sent: Sent, name: string, change: (value: string) => string): Sent => ({
  ...sent,
  headers: sent.headers.map(([header, value]) => [header, header === name ? change(value) : value]),
});
const repeated = (sent: Sent, name: string): Sent => {
  const [, value = ""] = sent.headers.find(([header]) => header === name) ?? [];
  return withHeader(sent, name, value);
};
const framed = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

type Case = {
  readonly name: string;
  readonly send: (wire: Wire) => Sent;
  readonly reason: string;
  readonly code: Code;
  readonly metadata?: Record<string, unknown>;
  readonly on?: (wire: Wire) => boolean;
};

const rejected = { reason: "REQUEST_REJECTED", code: Code.Unauthenticated, metadata: {} };
const invalid = (field: string) => ({
  reason: "FIELD_INVALID",
  code: Code.InvalidArgument,
  metadata: { field, description: expect.any(String) as unknown },
});
const skewed = {
  reason: "CLOCK_SKEW",
  code: Code.Unauthenticated,
  metadata: { server_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown },
};
const http = (version: 1 | 2) => (wire: Wire) => wire.http === version;
const grpc = (wire: Wire) => wire.contentType.startsWith("application/grpc");

const cases: readonly Case[] = [
  {
    name: "content above its method's bound",
    send: (wire) => goodRead(wire, { body: new Uint8Array(contentBytes + 1) }),
    reason: "TOO_LARGE",
    code: Code.InvalidArgument,
    metadata: { limit_bytes: "16384" },
  },
  { name: "no signature", send: (wire) => without(goodRead(wire), "signature"), ...rejected },
  {
    name: "no signature-input",
    send: (wire) => without(goodRead(wire), "signature-input"),
    ...rejected,
  },
  { name: "two signatures", send: (wire) => repeated(goodRead(wire), "signature"), ...rejected },
  {
    name: "two signature-inputs",
    send: (wire) => repeated(goodRead(wire), "signature-input"),
    ...rejected,
  },
  {
    name: "no content-digest",
    send: (wire) => without(goodRead(wire), "content-digest"),
    ...invalid("content-digest"),
  },
  {
    name: "two content-digests",
    send: (wire) => repeated(goodRead(wire), "content-digest"),
    ...invalid("content-digest"),
  },
  {
    name: "no content-type",
    send: (wire) => without(goodRead(wire), "content-type"),
    ...invalid("content-type"),
  },
  {
    name: "two content-types",
    send: (wire) => repeated(goodRead(wire), "content-type"),
    ...invalid("content-type"),
  },
  {
    name: "two Hosts",
    send: (wire) => withHeader(goodRead(wire), "host", "elsewhere.example"),
    ...invalid("authority"),
    on: http(1),
  },
  {
    name: "two Hosts that agree",
    send: (wire) => withHeader(goodRead(wire), "host", gateway.authority),
    ...invalid("authority"),
    on: http(1),
  },
  {
    name: "a Host that is not the :authority",
    send: (wire) => withHeader(goodRead(wire), "host", "elsewhere.example"),
    ...invalid("authority"),
    on: http(2),
  },
  {
    name: "an authority that is none",
    send: (wire) => ({ ...goodRead(wire), authority: "localhost:99999" }),
    ...invalid("authority"),
  },
  {
    name: "a target in absolute form",
    send: (wire) => ({
      ...goodRead(wire),
      url: `https://${gateway.authority}${goodRead(wire).url}`,
    }),
    ...invalid("path"),
    on: http(1),
  },
  {
    name: "a query",
    send: (wire) => ({ ...goodRead(wire), url: `${goodRead(wire).url}?x=1` }),
    ...invalid("path"),
  },
  {
    name: "trailers",
    send: (wire) => ({ ...goodRead(wire), trailers: { "x-late": "1" } }),
    ...invalid("trailer"),
  },
  {
    name: "announced trailers",
    send: (wire) => withHeader(goodRead(wire), "trailer", "x-late"),
    ...invalid("trailer"),
  },
  {
    name: "GET",
    send: (wire) => ({ ...goodRead(wire), method: "GET", body: new Uint8Array() }),
    ...invalid("method"),
  },
  ...[
    "application/json; charset=utf-8",
    "application/connect+json",
    "application/grpc+json",
    "application/grpc-web+proto",
    "text/plain",
  ].map((contentType) => ({
    name: `content-type ${contentType}, signed`,
    send: (wire: Wire) => goodRead(wire, { contentType }),
    ...invalid("content-type"),
  })),
  ...["content-encoding", "grpc-encoding", "connect-content-encoding"].map((header) => ({
    name: `${header}: gzip`,
    send: (wire: Wire) => withHeader(goodRead(wire), header, "gzip"),
    ...invalid(header),
  })),
  {
    name: "too many headers",
    send: (wire) =>
      Array.from({ length: 65 }, String).reduce(
        (sent, n) => withHeader(sent, `x-${n}`, n),
        goodRead(wire),
      ),
    ...invalid("headers"),
  },
  ...(
    [
      ["a compressed frame", (body: Uint8Array) => framed(1, ...body.subarray(1))],
      ["two frames", (body: Uint8Array) => framed(...body, ...body)],
      ["a byte behind the frame", (body: Uint8Array) => framed(...body, 0)],
      ["half a frame", (body: Uint8Array) => body.subarray(0, body.length - 1)],
      ["no frame", () => new Uint8Array()],
    ] as const
  ).map(([name, change]) => ({
    name: `${name}, signed`,
    send: (wire: Wire) => goodRead(wire, { body: change(bodyOf(wire)) }),
    ...invalid("body"),
    on: grpc,
  })),
  {
    name: "a signature-input in another than its canonical form",
    send: (wire) =>
      changed(goodRead(wire), "signature-input", (value) => value.replace("sp=", "sp= ")),
    ...rejected,
  },
  {
    name: "created 61 seconds ago",
    send: (wire) => goodRead(wire, { createdSeconds: now() - 61 }),
    ...skewed,
  },
  {
    name: "created 62 seconds ahead",
    send: (wire) => goodRead(wire, { createdSeconds: now() + 62 }),
    ...skewed,
  },
  {
    name: "another body than the signed one",
    send: (wire) => ({ ...goodRead(wire), body: bodyOf(wire) }),
    ...rejected,
  },
  {
    name: "another body with its own digest",
    send: (wire) => {
      const other = goodRead(wire);
      const digest = new Map(other.headers).get("content-digest") ?? "";
      return { ...changed(goodRead(wire), "content-digest", () => digest), body: other.body };
    },
    ...rejected,
  },
  {
    name: "an unknown machine",
    send: (wire) => signedRequest(wire, gateway, newMachine(), readSecrets, { allGranted: true }),
    ...rejected,
  },
  {
    name: "a key that is not enrolled",
    send: (wire) => signedRequest(wire, gateway, newKey(), readSecrets, { allGranted: true }),
    ...rejected,
  },
  {
    name: "another key's signature",
    send: (wire) => {
      const thief = { ...newKey(), keyId: machine.keyId };
      return signedRequest(wire, gateway, thief, readSecrets, { allGranted: true });
    },
    ...rejected,
  },
  {
    name: "another method's signature",
    send: (wire) => ({
      ...goodRead(wire),
      url: "/sallyport.gateway.v1.ReadService/ListReadableSecrets",
    }),
    ...rejected,
  },
  {
    name: "a signature for another authority",
    send: (wire) => goodRead(wire, { authority: "elsewhere.example" }),
    ...rejected,
  },
  {
    name: "a public name that is not ours, signed",
    send: (wire) => ({
      ...goodRead(wire, { authority: "elsewhere.example" }),
      authority: "elsewhere.example",
    }),
    ...rejected,
  },
  {
    name: "a body that is not the method's, signed",
    send: (wire) => {
      const unknown = Buffer.from(
        wire.contentType === "application/json" ? '{"never":1}' : [0xfa, 0x3f, 0x01, 0x61],
      );
      const body = grpc(wire) ? framed(0, 0, 0, 0, unknown.length, ...unknown) : unknown;
      return goodRead(wire, { body });
    },
    ...invalid("body"),
  },
  {
    name: "a body out of bounds, signed",
    send: (wire) => signedRequest(wire, gateway, machine, readSecrets, { projectId: "prj_1" }),
    ...invalid("project_id"),
  },
];

describe.each(wires)("$name", (wire) => {
  test("answers a read that is signed well", async () => {
    const secretIds = [newId("sec"), newId("sec")];
    const answer = await call(wire, gateway, machine, readSecrets, { secretIds });
    if (answer.kind !== "reply") throw new Error(answer.refusal.text);
    expect(answer.message.secrets.map(({ secretId }) => secretId).toSorted()).toEqual(
      secretIds.toSorted(),
    );
  });

  test.each(cases.filter(({ on }) => on?.(wire) ?? true))("refuses $name", async (given) => {
    const refusal = await refusalOf(wire, given.send(wire));
    const { reason, code, metadata = {} } = given;
    expect(refusal).toMatchObject({ reason, code });
    expect(refusal.metadata).toEqual(metadata);
    expect(gateway.peers.reached).toEqual([]);
  });

  test("asks identity about nobody before all that needs no key was checked", async () => {
    const { steps } = gateway.peers;
    const { resolveKeys } = steps;
    const stranger = newMachine();
    const asked: string[] = [];
    steps.resolveKeys = (request, context) => {
      asked.push(...request.keyIds);
      return resolveKeys(request, context);
    };
    const send = (unsigned: Parameters<typeof signedRequest>[5]) =>
      signedRequest(wire, gateway, stranger, readSecrets, { allGranted: true }, unsigned);
    await refusalOf(wire, send({ createdSeconds: now() - 61 }));
    await refusalOf(wire, { ...send({}), body: bodyOf(wire) });
    expect(asked).toEqual([]);
    await refusalOf(wire, send({}));
    expect(asked).toEqual([stranger.keyId]);
    steps.resolveKeys = resolveKeys;
  });

  test("takes an identity encoding for none", async () => {
    const sent = withHeader(
      withHeader(goodRead(wire), "grpc-encoding", "identity"),
      "accept-encoding",
      "gzip",
    );
    const received = await wire.send(gateway, sent);
    expect(readAnswer(readSecrets.output, received).kind).toBe("reply");
    expect([...received.headers.keys()].filter((name) => name.endsWith("encoding"))).toEqual([]);
  });

  test("takes the public name in any spelling of its normal form", async () => {
    const sent = { ...goodRead(wire), authority: gateway.authority.toUpperCase() };
    expect(readAnswer(readSecrets.output, await wire.send(gateway, sent)).kind).toBe("reply");
  });

  test("answers a request once", async () => {
    const sent = goodRead(wire);
    expect(readAnswer(readSecrets.output, await wire.send(gateway, sent)).kind).toBe("reply");
    gateway.peers.reached.splice(0);
    expect(await refusalOf(wire, sent)).toMatchObject({ reason: "REQUEST_REJECTED", metadata: {} });
    expect(gateway.peers.reached).toEqual([]);
  });

  test.each([
    ["MACHINE_EXPIRED", Reason.MACHINE_EXPIRED],
    ["MACHINE_DISABLED", Reason.MACHINE_DISABLED],
  ])("tells %s to the holder of the key and to nobody else", async (reason, why) => {
    const old = gateway.peers.enroll(newMachine(), why);
    const stranger = { ...newKey(), keyId: old.keyId };
    const ask = (key: Parameters<typeof signedRequest>[2]) =>
      refusalOf(wire, signedRequest(wire, gateway, key, readSecrets, { allGranted: true }));
    expect(await ask(stranger)).toMatchObject({ reason: "REQUEST_REJECTED" });
    expect(await ask(old)).toMatchObject({ reason, code: Code.Unauthenticated });
    expect(gateway.peers.reached).toEqual([]);
  });

  test("lets machines alone read, and no machine manage", async () => {
    const owner = gateway.peers.enroll(newUser(Role.OWNER));
    const read = signedRequest(wire, gateway, owner, readSecrets, { allGranted: true });
    expect(await refusalOf(wire, read)).toMatchObject({
      reason: "ROLE_REQUIRED",
      code: Code.PermissionDenied,
    });
    const manage = await call(wire, gateway, machine, ProjectService.method.createProject, {
      name: "web",
    });
    expect(manage).toMatchObject({ kind: "refusal", refusal: { reason: "ROLE_REQUIRED" } });
    expect(gateway.peers.reached).toEqual([]);
  });

  test("lets a key that is not enrolled call Enroll, and an enrolled one not", async () => {
    const { enroll } = EnrollmentService.method;
    expect(await call(wire, gateway, newKey(), enroll, {})).toMatchObject({ kind: "reply" });
    expect(gateway.peers.reached).toEqual(["identity.forward"]);
    expect(await call(wire, gateway, machine, enroll, {})).toMatchObject({
      refusal: { reason: "ROLE_REQUIRED" },
    });
    expect(gateway.peers.reached).toEqual(["identity.forward"]);
  });
});

test.each(wires.filter(grpc))(
  "$name: no owner gets a body that is not one plain frame",
  async (wire) => {
    const owner = gateway.peers.enroll(newUser(Role.OWNER));
    for (const body of [framed(1, 0, 0, 0, 0), framed(0, 0, 0, 0, 0, 0), framed(0, 0, 0, 0)]) {
      const answer = await call(
        wire,
        gateway,
        owner,
        ProjectService.method.listProjects,
        {},
        { body },
      );
      expect(answer).toMatchObject({
        refusal: { reason: "FIELD_INVALID", metadata: { field: "body" } },
      });
    }
    expect(gateway.peers.reached).toEqual([]);
  },
);
