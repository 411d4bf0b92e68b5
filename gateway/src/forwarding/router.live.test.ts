import { globSync, readFileSync } from "node:fs";
import { connect as connectHttp2, constants } from "node:http2";
import {
  type DescMethod,
  type DescMethodUnary,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { mayCall } from "@sallyport/roles";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  KeysetSchema,
  Role,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import {
  GetProjectResponseSchema,
  ProjectService,
} from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { answerHeader, answerOwnerOf, frameMessage } from "@sallyport/proto/signing";
import { publicServices } from "@sallyport/proto/verifying";
import { Failure, fail, toRefusal } from "@sallyport/rpc";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { methodPath } from "@sallyport/proto/names/method-path";
import { forwarded, forwardedRead } from "./routes.ts";
import { call, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestKey, type TestPrincipal, newKey, newMachine, newUser } from "../testing/keys.ts";
import { type PeerSteps, answer as signature, answerTo, digestOf } from "../testing/peers.ts";
import { connectJson, grpc, readAnswer, wires } from "../testing/wires.ts";

let pki: TestPki;
let gateway: TestGateway;
let owner: TestPrincipal;
let forward: PeerSteps["forward"];

beforeAll(async () => {
  pki = await createTestPki();
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
  owner = gateway.peers.enroll(newUser(Role.OWNER));
  forward = gateway.peers.steps.forward;
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});
beforeEach(() => {
  gateway.peers.reached.splice(0);
  gateway.peers.steps.forward = forward;
});

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

type Result = Exclude<Awaited<ReturnType<PeerSteps["forward"]>>["result"], undefined>;

function answerWith(result: Result): void {
  gateway.peers.steps.forward = ({ signedRequest }) => answerTo(signedRequest, result);
}

describe("every public method", () => {
  const methods = publicServices.flatMap((service) => service.methods).filter(isUnary);

  test("of every contract is routed, and its owner is the boundary in its name", () => {
    const contracts = new URL("../../../proto/sallyport/", import.meta.url);
    const declared = globSync("*/v1/*.proto", { cwd: contracts }).flatMap((name) => {
      const text = readFileSync(new URL(name, contracts), "utf8");
      const boundary = /^package (.+);$/m.exec(text)?.[1] ?? "";
      return [...text.matchAll(/^service (\w+) /gm)].map(
        ([, service = ""]) => `${boundary}.${service}`,
      );
    });
    expect(publicServices.map(({ typeName }) => typeName).toSorted()).toEqual(declared.toSorted());
    expect(methods).toHaveLength(publicServices.flatMap((service) => service.methods).length);
    for (const { service, owner } of forwarded)
      expect(service.typeName).toMatch(`sallyport.${owner}.v1.`);
  });

  test("is answered by the owner whose signature clients ask for", () => {
    const routed = new Map<string, string>(
      publicServices[0]?.methods.map((method) => [methodPath(method), "itself"]),
    );
    routed.set(methodPath(forwardedRead.method), forwardedRead.owner);
    for (const { service, owner } of forwarded)
      for (const method of service.methods) routed.set(methodPath(method), owner);
    expect(publicServices[0]).toBe(ReadService);
    expect(
      new Map(methods.map((method) => [methodPath(method), answerOwnerOf(methodPath(method))])),
    ).toEqual(routed);
    expect(answerOwnerOf("/sallyport.crypto.v1.OpenService/Open")).toBeUndefined();
    expect(answerOwnerOf("/sallyport.identity.internal.v1.KeyService/ResolveKeys")).toBeUndefined();
    expect(answerOwnerOf("/sallyport.gateway.v1.ReadService/ReadSecret")).toBeUndefined();
  });

  describe.each(methods.map((method) => ({ path: methodPath(method), method })))(
    "$path",
    ({ path, method }) => {
      const machine = newMachine();
      const users = [Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.AUDITOR].map(newUser);
      const owner = answerOwnerOf(path);
      const behind = owner === "itself" ? [] : [`${owner}.forward`];
      const principal = [machine, ...users].find((one) => mayCall(path, one));

      test("answers whom the role table names, and the others reach nothing", async () => {
        for (const principal of [machine, ...users]) {
          gateway.peers.enroll(principal);
          gateway.peers.reached.splice(0);
          const answer = await call(grpc, gateway, principal, method, validRequest(path));
          const may = mayCall(path, principal);
          expect(answer).toMatchObject(
            may ? { kind: "reply" } : { refusal: { reason: "ROLE_REQUIRED" } },
          );
          if (!may || behind.length > 0) expect(gateway.peers.reached).toEqual(may ? behind : []);
        }
      });

      test("answers a key that is not enrolled only if the table says so", async () => {
        const answer = await call(grpc, gateway, newKey(), method, validRequest(path));
        const may = mayCall(path, undefined);
        expect(answer).toMatchObject(
          may ? { kind: "reply" } : { refusal: { reason: "REQUEST_REJECTED" } },
        );
        expect(gateway.peers.reached).toEqual(may ? behind : []);
      });

      test("is reached on every wire", async () => {
        const caller = principal ? gateway.peers.enroll(principal) : newKey();
        for (const wire of wires) {
          const answer = await call(wire, gateway, caller, method, validRequest(path));
          expect(answer, wire.name).toMatchObject({ kind: "reply" });
        }
      });
    },
  );
});

// Owners decode and judge bodies for themselves; the read is the gateway's own.
function validRequest(path: string): Record<string, unknown> {
  return path.endsWith("/ReadSecrets") ? { secretIds: [newId("sec")] } : {};
}

const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

describe("what is not a public method", () => {
  test.each([
    "/",
    "/sallyport.gateway.v1.ReadService/Nothing",
    "/sallyport.gateway.v1.ReadService/readSecrets",
    "/sallyport.gateway.v1.ReadService/ReadSecrets/",
    "//sallyport.gateway.v1.ReadService/ReadSecrets",
    "/sallyport.evidence.internal.v1.ForwardService/Forward",
    "/sallyport.identity.internal.v1.KeyService/ResolveKeys",
    "/sallyport.crypto.internal.v1.OpenService/Open",
    "/grpc.health.v1.Health/Check",
  ])("%s is unimplemented on every wire, in its protocol", async (url) => {
    const { getProject } = ProjectService.method;
    for (const wire of wires) {
      const sent = signedRequest(wire, gateway, owner, getProject, {});
      const received = await wire.send(gateway, { ...sent, url });
      const isGrpc = wire.contentType.startsWith("application/grpc");
      expect(received.status, wire.name).toBe(isGrpc ? 200 : 404);
      const answer = readAnswer(getProject.output, received);
      expect(answer, wire.name).toMatchObject({ refusal: { code: Code.Unimplemented } });
    }
    expect(gateway.peers.reached).toEqual([]);
  });

  test.each([
    ["application/grpc", "/grpc.health.v1.Health/Check", "no health here"],
    ["application/grpc+proto", "/grpc.health.v1.Health/Watch", "no health here"],
    ["application/grpc", reflection, "there is no reflection"],
    ["application/grpc-web+proto", reflection, "there is no reflection"],
    ["application/grpc-web-text", "/a.B/C", "there is no such method"],
    ["application/grpc+json", "/sallyport.crypto.internal.v1.OpenService/Open", "no such method"],
  ])("is told to %s at %s in headers that end the stream", async (contentType, path, sentence) => {
    const session = connectHttp2(`https://${gateway.authority}`, { ca: gateway.ca });
    const headers = { ":method": "POST", ":path": path, "content-type": contentType };
    const stream = session.request(headers);
    const [told, flags] = await new Promise<[Record<string, unknown>, number]>((resolve) => {
      stream.on("response", (given, bits) => resolve([given, bits]));
    });
    session.destroy();
    expect(told).toMatchObject({
      ":status": 200,
      "content-type": contentType,
      "grpc-status": "12",
    });
    expect(told["grpc-message"]).toContain(sentence);
    // Trailers-Only: a library takes a status from headers only when they end the stream.
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).toBe(constants.NGHTTP2_FLAG_END_STREAM);
  });

  test.each(["application/connect+proto", "application/connect+json"])(
    "is told to %s in the last frame of a stream",
    async (contentType) => {
      const sent = signedRequest(connectJson, gateway, owner, ProjectService.method.getProject, {});
      const headers = [["content-type", contentType]] as const;
      const { status, body } = await connectJson.send(gateway, {
        ...sent,
        url: reflection,
        headers,
      });
      expect([status, body[0]]).toEqual([200, 2]);
      const { error } = JSON.parse(Buffer.from(body.subarray(5)).toString()) as { error: unknown };
      expect(error).toMatchObject({ code: "unimplemented" });
    },
  );

  test("is told to anything else in JSON", async () => {
    const sent = signedRequest(connectJson, gateway, owner, ProjectService.method.getProject, {});
    const headers = [["content-type", "text/html; charset=utf-8"]] as const;
    const told = await connectJson.send(gateway, { ...sent, method: "GET", url: "/", headers });
    expect(told.status).toBe(404);
    expect(JSON.parse(Buffer.from(told.body).toString())).toEqual({
      code: "unimplemented",
      message: "there is no such method: see the folder proto for those that there are",
    });
  });

  test.each(["PUT", "DELETE", "OPTIONS", "PATCH"])("%s is 405", async (method) => {
    for (const wire of wires) {
      const sent = signedRequest(wire, gateway, owner, ProjectService.method.getProject, {});
      const { status, headers } = await wire.send(gateway, { ...sent, method });
      expect({ status, allow: headers.get("allow") }).toEqual({ status: 405, allow: "POST" });
    }
  });
});

describe("a forwarded request", () => {
  const { getProject } = ProjectService.method;
  const ask = (key: TestKey = owner) => call(grpc, gateway, key, getProject, {});

  test("reaches its owner as it was signed, with the credential and where it came from", async () => {
    const seen: Parameters<typeof forward>[0][] = [];
    gateway.peers.steps.forward = (request, context) => {
      seen.push(request);
      return forward(request, context);
    };
    for (const wire of wires)
      await call(wire, gateway, owner, getProject, { key: { case: "name", value: "web" } });
    expect(seen).toHaveLength(wires.length);
    for (const [at, { signedRequest: signed, credential, sourceIp, requestId }] of seen.entries()) {
      expect(signed).toMatchObject({
        method: "POST",
        authority: gateway.authority,
        path: methodPath(getProject),
      });
      expect(signed?.contentType).toBe(wires[at]?.contentType);
      expect(Buffer.from(signed?.body ?? []).toString()).toContain("web");
      expect(credential?.keyId).toBe("credential-1");
      expect(sourceIp).toBe("127.0.0.1");
      expect(requestId).toMatch(/^req_/);
    }
    expect(new Set(seen.map(({ requestId }) => requestId)).size).toBe(wires.length);
  });

  test.each([
    ["sallyport-cli/0.1.0", "sallyport-cli/0.1.0"],
    ["curl/8.0 \u00e9\t(x)", "curl/8.0 (x)"],
    ["a".repeat(65), "a".repeat(64)],
  ])("names the client as it names itself, in print and short: %j", async (userAgent, client) => {
    let told: unknown;
    gateway.peers.steps.forward = (request, context) => {
      told = request.client;
      return forward(request, context);
    };
    const sent = signedRequest(grpc, gateway, owner, getProject, {
      key: { case: "name", value: "web" },
    });
    await grpc.send(gateway, { ...sent, headers: [...sent.headers, ["user-agent", userAgent]] });
    expect(told).toBe(client);
  });

  test("of a key that is not enrolled has no credential", async () => {
    let credential: unknown = "none seen";
    gateway.peers.steps.forward = (request, context) => {
      ({ credential } = request);
      return forward(request, context);
    };
    await call(grpc, gateway, newKey(), UserService.method.redeemLoginCode, {});
    expect(credential).toBeUndefined();
  });

  test.each(wires)("is answered with the owner's own bytes and signature: $name", async (wire) => {
    const reply = create(GetProjectResponseSchema, {
      project: { projectId: newId("prj"), name: "web" },
    });
    const json = wire.contentType === "application/json";
    // Written as no encoder of ours writes it: what is signed must not be encoded again.
    const unusual = Buffer.from(`{ "project": {"name":"web"} , "x":1}`);
    const value = json
      ? unusual
      : Buffer.concat([toBinary(GetProjectResponseSchema, reply), Buffer.from([0x78, 0x01])]);
    answerWith({ case: "response", value });
    const received = await wire.send(gateway, signedRequest(wire, gateway, owner, getProject, {}));
    const isGrpc = wire.contentType.startsWith("application/grpc");
    expect(Buffer.from(received.body)).toEqual(Buffer.from(isGrpc ? frameMessage(value) : value));
    const header = new Uint8Array(
      Buffer.from(received.headers.get(answerHeader) ?? "", "base64url"),
    );
    expect(fromBinary(SignedAnswerSchema, header)).toMatchObject(signature);
    expect(received.status).toBe(200);
    expect(received.headers.get("content-type")).toBe(
      isGrpc ? "application/grpc+proto" : wire.contentType,
    );
    if (isGrpc) expect(received.trailers.get("grpc-status")).toBe("0");
    else expect(received.headers.get("content-length")).toBe(String(value.length));
  });

  test("is answered alike, however little or much there is", async () => {
    for (const length of [0, 1, 3 * 1024 * 1024]) {
      answerWith({ case: "response", value: Buffer.alloc(length, 0x20) });
      for (const wire of wires) {
        const received = await wire.send(
          gateway,
          signedRequest(wire, gateway, owner, getProject, {}),
        );
        const framing = wire.contentType.startsWith("application/grpc") ? 5 : 0;
        expect(received.body, wire.name).toHaveLength(length + framing);
      }
    }
  });

  test("is refused with the owner's reason, its metadata and its delay", async () => {
    const metadata = { field: "project_id", sql: "select canary" };
    answerWith({ case: "refusal", value: toRefusal(fail(Reason.NOT_FOUND, metadata)) });
    expect(await ask()).toMatchObject({
      refusal: { code: Code.NotFound, reason: "NOT_FOUND", metadata: { field: "project_id" } },
    });
    const late = new Failure(Reason.RATE_LIMITED, { retryAfterMs: 700 });
    answerWith({ case: "refusal", value: toRefusal(late) });
    expect(await ask()).toMatchObject({ refusal: { reason: "RATE_LIMITED", retryAfterMs: 700 } });
  });

  test("is refused with the owner's signature, and without one where the gateway itself refuses", async () => {
    answerWith({
      case: "refusal",
      value: toRefusal(fail(Reason.NOT_FOUND, { field: "project_id" })),
    });
    for (const wire of wires) {
      const refused = await call(wire, gateway, owner, getProject, {});
      expect(refused, wire.name).toMatchObject({ refusal: { answers: [signature] } });
      const ours = await call(wire, gateway, owner, UserService.method.redeemLoginCode, {});
      expect(ours, wire.name).toMatchObject({ refusal: { reason: "ROLE_REQUIRED", answers: [] } });
    }
  });

  test.each([
    [
      "an answer to another request",
      () => ({ requestDigest: new Uint8Array(32), result: noResult(), answer: signature }),
    ],
    [
      "an answer without a result",
      (digest: Uint8Array) => ({ requestDigest: digest, answer: signature }),
    ],
    [
      "an answer that is not signed",
      (digest: Uint8Array) => ({ requestDigest: digest, result: noResult() }),
    ],
    [
      "a reason that is none of the public's business",
      (digest: Uint8Array) => ({
        requestDigest: digest,
        answer: signature,
        result: { case: "refusal" as const, value: toRefusal(fail(Reason.PEER_NOT_ALLOWED)) },
      }),
    ],
  ])("that gets %s is INTERNAL and logged as our fault", async (_, answerOf) => {
    gateway.peers.steps.forward = ({ signedRequest }) => answerOf(digestOf(signedRequest));
    gateway.logged.splice(0);
    const answer = await ask();
    if (answer.kind !== "refusal") throw new Error("it was answered");
    expect(answer.refusal).toMatchObject({ code: Code.Internal, reason: "INTERNAL" });
    const requestId = answer.refusal.metadata["request_id"];
    expect(requestId).toMatch(/^req_/);
    expect(gateway.logged).toContainEqual(
      expect.objectContaining({
        level: "error",
        request_id: requestId,
        rpc: methodPath(getProject),
        code: "internal",
      }),
    );
  });

  function noResult(): Result {
    return { case: "response", value: new Uint8Array() };
  }

  test("whose owner throws is INTERNAL, without a word of what it said", async () => {
    gateway.peers.steps.forward = () => {
      throw fail(Reason.FIELD_INVALID, { field: "canary_inner_field" });
    };
    const answer = await ask();
    expect(answer).toMatchObject({ refusal: { reason: "INTERNAL" } });
    expect(JSON.stringify(answer)).not.toContain("canary");
  });

  test("whose owner is away is unavailable with a delay", async () => {
    gateway.peers.steps.forward = () => {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    };
    const refusal = {
      code: Code.Unavailable,
      reason: "DEPENDENCY_UNAVAILABLE",
      retryAfterMs: 1000,
      metadata: {},
    };
    expect(await ask()).toMatchObject({ refusal });
  });
});

describe("GetKeyset", () => {
  test("gives the keyset as the root signed it, and our time", async () => {
    const answer = await call(grpc, gateway, owner, ReadService.method.getKeyset, {});
    if (answer.kind !== "reply") throw new Error(answer.refusal.text);
    const { keyset, serverTime } = answer.message;
    expect(keyset && Buffer.from(toBinary(KeysetSchema, keyset))).toEqual(
      Buffer.from(gateway.trust.keyset),
    );
    expect(Math.abs((serverTime ? timestampMs(serverTime) : 0) - Date.now())).toBeLessThan(5000);
  });
});
