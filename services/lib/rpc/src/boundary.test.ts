import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestServer, goodRequest, keys, startTestServer } from "./testing/servers.ts";
import { type Failure, fail, failureOf, toConnectError } from "./index.ts";
import { readTls } from "./tls-files.ts";

let pki: TestPki;
beforeAll(async () => void (pki = await createTestPki()));
afterAll(() => pki[Symbol.asyncDispose]());

type Told = {
  readonly text: string;
  readonly code: Code;
  readonly failure: Failure;
  readonly server: TestServer;
};

async function toldOf(thrown: unknown, kind: "unary" | "stream" = "unary"): Promise<Told> {
  await using server = await startTestServer(pki, {
    resolveKeys: () => {
      throw thrown;
    },
    watchRevocations: async function* () {
      yield {};
      throw thrown;
    },
  });
  await using gateway = server.connect(pki.tls("gateway"));
  try {
    if (kind === "unary") await keys(gateway.transport).resolveKeys(goodRequest);
    else for await (const _ of keys(gateway.transport).watchRevocations({}));
  } catch (error) {
    const told = ConnectError.from(error);
    const text = JSON.stringify([told.message, told.details, [...told.metadata]]);
    return { text, code: told.code, failure: failureOf(error), server };
  }
  throw new Error("nothing was thrown");
}

test.each(["unary", "stream"] as const)(
  "an unknown error leaves a %s as one sentence, and the log has its causes",
  async (kind) => {
    const { text, code, failure, server } = await toldOf(
      new Error("row 7", { cause: new Error("disk") }),
      kind,
    );
    expect(code).toBe(Code.Internal);
    expect(text).toMatch(/internal error: report req_[0-9a-z]{20}/);
    expect(text).not.toMatch(/row 7|disk/);
    const [line, ...rest] = server.logged.filter(({ level }) => level === "error");
    expect(rest).toEqual([]);
    expect(line).toMatchObject({
      request_id: failure.metadata["request_id"],
      peer: "gateway",
      code: "internal",
      reason: "INTERNAL",
      err: { cause: { message: "row 7", cause: { message: "disk" } } },
    });
  },
);

test("a failure is told with reason, metadata and retry delay", async () => {
  const { code, failure } = await toldOf(fail(Reason.VERSION_CONFLICT, { current_version: "3" }));
  expect(code).toBe(Code.FailedPrecondition);
  expect(failure).toMatchObject({
    reason: Reason.VERSION_CONFLICT,
    metadata: { current_version: "3" },
  });
});

test("an upstream's refusal is not forwarded", async () => {
  const upstream = toConnectError(fail(Reason.NOT_FOUND, { field: "upstream" }), "req_1");
  const { text, failure } = await toldOf(upstream);
  expect(failure.reason).toBe(Reason.INTERNAL);
  expect(text).not.toContain("upstream");
});

test("an upstream that cannot be reached makes us unavailable, in our own words", async () => {
  const { text, failure, server } = await toldOf(
    new ConnectError("10.0.0.7 refused", Code.Unavailable),
  );
  expect(failure).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE, retryAfterMs: 1_000 });
  expect(text).not.toContain("10.0.0.7");
  expect(server.logged).toContainEqual(
    expect.objectContaining({ level: "warn", reason: "DEPENDENCY_UNAVAILABLE" }),
  );
});

test("a message out of its bounds is FIELD_INVALID with field and description, and no handler runs", async () => {
  let handled = 0;
  await using server = await startTestServer(pki, { resolveKeys: () => ((handled += 1), {}) });
  await using gateway = server.connect(pki.tls("gateway"));
  const failure = await keys(gateway.transport)
    .resolveKeys({ keyIds: ["mch_00000000000000000000", "what"] })
    .catch(failureOf);
  expect(failure).toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "key_ids[1]", description: expect.stringContaining("pattern") as string },
  });
  expect(handled).toBe(0);
});

test("a message over 4 MiB is not read, and does not hold up a drain", async () => {
  let handled = 0;
  const server = await startTestServer(pki, { resolveKeys: () => ((handled += 1), {}) });
  const client = keys(
    createGrpcTransport({ baseUrl: server.url, nodeOptions: readTls(pki.tls("gateway")) }),
  );
  const code = await client
    .resolveKeys({ keyIds: ["x".repeat(4 * 1024 * 1024)] })
    .catch((error: unknown) => ConnectError.from(error).code);
  expect(code).toBe(Code.ResourceExhausted);
  expect(handled).toBe(0);
  const begunMs = performance.now();
  await server[Symbol.asyncDispose]();
  expect(performance.now() - begunMs).toBeLessThan(3_000);
});

test("a reply over 4 MiB is not read", async () => {
  const results = [{ keyId: "x".repeat(4 * 1024 * 1024) }];
  await using server = await startTestServer(pki, { resolveKeys: () => ({ results }) });
  await using gateway = server.connect(pki.tls("gateway"));
  await expect(keys(gateway.transport).resolveKeys(goodRequest)).rejects.toMatchObject({
    code: Code.ResourceExhausted,
  });
});

test("every answer is logged once, without the message", async () => {
  await using server = await startTestServer(pki);
  await using gateway = server.connect(pki.tls("gateway"));
  await keys(gateway.transport).resolveKeys(goodRequest);
  const lines = server.logged.filter(({ rpc }) => rpc !== undefined);
  expect(lines).toEqual([
    {
      level: "debug",
      time: expect.any(String) as string,
      service: "identity",
      msg: "answered",
      request_id: expect.stringMatching(/^req_/) as string,
      peer: "gateway",
      rpc: "/sallyport.identity.internal.v1.KeyService/ResolveKeys",
      code: "ok",
      duration_ms: expect.any(Number) as number,
    },
  ]);
});
