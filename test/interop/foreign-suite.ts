import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "@sallyport/client";
import {
  GetKeysetResponseSchema,
  type ListReadableSecretsResponse,
  ListReadableSecretsResponseSchema,
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled } from "@sallyport/proto/signing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSecrets, makeToken, startMainJob } from "../system/deployment.ts";
import { expectedVerdicts, signingVectors } from "./expected-verdicts.ts";
import { type Prepared, type Run, announceMissing, programOf, run } from "./foreign-program.ts";
import { type Interference, type TamperingProxy, startTamperingProxy } from "./tampering-proxy.ts";

const readPath = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const keysetPath = "/sallyport.gateway.v1.ReadService/GetKeyset";
const listPath = "/sallyport.gateway.v1.ReadService/ListReadableSecrets";

/**
 * Runs the same tests for a client of any language; without a program they are skipped and the
 * reason is printed.
 */
export function describeForeignClient(language: string, prepared: Prepared): void {
  const skipped = announceMissing(language, prepared);
  const start: Start = (mode, more) => {
    const { command, args, env } = programOf(prepared);
    return run(command, [...args, ...mode], { env: { ...env, ...more } });
  };
  describe.skipIf(skipped !== "")(
    `a client in ${language}, written from the documents${skipped}`,
    () => {
      test("agrees with every vector of SIGNING", async () => {
        const { stdout } = await start(["vectors", signingVectors]);
        const verdicts: unknown = JSON.parse(stdout);
        expect(verdicts).toEqual(expectedVerdicts());
      });

      describe("on a whole deployment", () => {
        describeLive(start);
      });
    },
  );
}

type Start = (mode: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Run>;

function describeLive(start: Start): void {
  let job: Awaited<ReturnType<typeof startMainJob>>;
  let proxy: TamperingProxy;
  let token: string;

  beforeAll(async () => {
    job = await startMainJob();
    const { admin, owner, projectId, granted } = job;
    token = await makeToken(admin, owner, { projectId, secretIds: granted, uses: 100 });
    proxy = await startTamperingProxy(job.deployment.endpoint);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    job.admin.close();
    await job.deployment[Symbol.asyncDispose]();
  });

  const direct = (mode: string, env: Readonly<Record<string, string>> = {}): Promise<Run> =>
    start([mode], {
      SALLYPORT_URL: job.deployment.endpoint.url,
      SALLYPORT_CA: job.deployment.system.edgeCaFile,
      SALLYPORT_ENROLLMENT_TOKEN: token,
      ...env,
    });
  const through = (interference: Interference, mode = "read"): Promise<Run> => {
    proxy.interference = interference;
    return direct(mode, { SALLYPORT_CONNECT: proxy.address, SALLYPORT_CA: proxy.caFile });
  };
  const granted = (): Record<string, string> => ({
    DB_URL: sha256(job.values.DB_URL),
    API_KEY: sha256(job.values.API_KEY),
  });

  test("enrolls, lists, and reads sealed over gRPC what it listed", async () => {
    expect(digestsOf(await direct("read"))).toEqual(granted());
  });

  test("reads all granted: 101 secrets over two signed pages, and a signed nothing", async () => {
    const names = Array.from({ length: 101 }, (_, index) => `PAGED_${index}`);
    const values = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
    const { projectId, ids } = await makeSecrets(job.admin, "paged", values);
    const readAll = async (secretIds: readonly string[]): Promise<unknown> => {
      const scoped = await makeToken(job.admin, job.owner, { projectId, secretIds });
      return digestsOf(await direct("read-all", { SALLYPORT_ENROLLMENT_TOKEN: scoped }));
    };
    const digests = Object.fromEntries(names.map((name) => [name, sha256(`value of ${name}`)]));
    expect(await readAll(Object.values(ids))).toEqual(digests);
    expect(await readAll([])).toEqual({});
  });

  test("matches results by id, never by place", async () => {
    const reversed = await through({ reply: onRead((reply) => void reply.secrets.reverse()) });
    expect(digestsOf(reversed)).toEqual(granted());
  });

  const tampered: readonly [string, string, (reply: ReadSecretsResponse) => void][] = [
    ["a byte of a ciphertext changed", "reply-content", (reply) => flip(ciphertextOf(reply))],
    ["a byte of what was signed changed", "reply-signature", (reply) => flip(reply.reply?.payload)],
    ["a secret dropped", "reply-results", (reply) => void reply.secrets.pop()],
    ["nothing at all, unsigned", "reply-missing", clear],
  ];
  test.each(tampered)("refuses an altered reply: %s", async (_, step, change) => {
    expect(await through({ reply: onRead(change) })).toEqual(untrusted(step));
  });

  test("refuses an unsigned nothing also when it asked for all granted", async () => {
    expect(await through({ reply: onRead(clear) }, "read-all")).toEqual(untrusted("reply-missing"));
  });

  test("refuses a signed reply to somebody else's request", async () => {
    const replies: Uint8Array[] = [];
    const keepAndSwap = (path: string, message: Uint8Array): Uint8Array => {
      if (path !== readPath) return message;
      replies.push(message);
      return replies[0] ?? message;
    };
    expect(await through({ reply: keepAndSwap })).toMatchObject({ code: 0 });
    expect(await through({ reply: keepAndSwap })).toEqual(untrusted("reply-digest"));
  });

  test("refuses another root, even with a keyset that it signed itself", async () => {
    const root = privateKeyOf(newSeed());
    const resign = (path: string, message: Uint8Array): Uint8Array => {
      if (path !== keysetPath) return message;
      const answer = fromBinary(GetKeysetResponseSchema, message);
      const { keyset } = answer;
      if (!keyset) throw new Error("there is no keyset to sign");
      keyset.rootPublicKey = rawPublicKey(root);
      keyset.signature = signBytes(root, labelled(LABELS.keyset, keyset.payload));
      return toBinary(GetKeysetResponseSchema, answer);
    };
    expect(await through({ reply: resign })).toEqual(untrusted("root"));
  });

  test("refuses a keyset older than one it has seen", async () => {
    expect(await direct("read", { SALLYPORT_EPOCH: "2" })).toEqual(untrusted("keyset-epoch"));
  });

  test("its replayed request is refused, and is on record", async () => {
    const run = await through({ replay: (path) => path === readPath });
    expect(run).toEqual({ code: 3, stdout: "", stderr: "refused REQUEST_REJECTED" });
    const { records } = await job.admin.services.audit.listRecords({
      pageSize: 200,
      actions: ["replay.refused"],
    });
    expect(records.length).toBeGreaterThan(0);
  });

  test("its request altered in flight is refused", async () => {
    const request = (path: string, content: Buffer): Buffer => {
      const altered = Buffer.from(content);
      if (path === readPath) flip(altered);
      return altered;
    };
    expect(await through({ request })).toEqual({
      code: 3,
      stdout: "",
      stderr: "refused REQUEST_REJECTED",
    });
  });

  const lists: readonly [string, (list: ListReadableSecretsResponse) => void][] = [
    ["a secret added", ({ secrets }) => secrets.push(...secrets.slice(0, 1))],
    ["a secret left out", ({ secrets }) => void secrets.pop()],
    ["another name", ({ secrets: [first] }) => first && (first.name = "OTHER")],
    ["a page dropped", (list) => (list.nextPageToken = job.ids["OTHER"] ?? "")],
  ];
  test.each(lists)("refuses an altered list: %s", async (_, change) => {
    const reply = (path: string, message: Uint8Array): Uint8Array => {
      if (path !== listPath) return message;
      const list = fromBinary(ListReadableSecretsResponseSchema, message);
      change(list);
      const altered = toBinary(ListReadableSecretsResponseSchema, list);
      return Buffer.compare(altered, message) === 0 ? new Uint8Array() : altered;
    };
    expect(await through({ reply })).toEqual(untrusted("answer-content"));
  });

  test("refuses a list that is not signed, or signed for somebody else's request", async () => {
    const head = (path: string, headers: Record<string, unknown>) => {
      if (path === listPath) delete headers["sallyport-answer"];
    };
    expect(await through({ head })).toEqual(untrusted("answer-missing"));
    let kept: unknown;
    const keepAndSwap = (path: string, headers: Record<string, unknown>) => {
      if (path !== listPath) return;
      kept ??= headers["sallyport-answer"];
      headers["sallyport-answer"] = kept;
    };
    expect(await through({ head: keepAndSwap })).toMatchObject({ code: 0 });
    expect(await through({ head: keepAndSwap })).toEqual(untrusted("answer-digest"));
  });

  test("refuses an enrollment that nobody signed", async () => {
    const head = (path: string, headers: Record<string, unknown>) => {
      if (path.endsWith("/Enroll")) delete headers["sallyport-answer"];
    };
    expect(await through({ head })).toEqual(untrusted("answer-missing"));
  });
}

/** The SHA-256 of every value by name, of a run that went well. */
function digestsOf({ code, stdout, stderr }: Run): unknown {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const printed: unknown = JSON.parse(stdout);
  return typeof printed === "object" && printed !== null && "sha256" in printed
    ? printed.sha256
    : undefined;
}

/** The output of a client that found a fault: only the step. */
function untrusted(step: string): Run {
  return { code: 4, stdout: "", stderr: `untrusted ${step}` };
}

function onRead(change: (reply: ReadSecretsResponse) => void) {
  return (path: string, message: Uint8Array): Uint8Array => {
    if (path !== readPath) return message;
    const reply = fromBinary(ReadSecretsResponseSchema, message);
    change(reply);
    return toBinary(ReadSecretsResponseSchema, reply);
  };
}

function clear(reply: ReadSecretsResponse): void {
  reply.secrets = [];
  reply.encapsulatedKey = new Uint8Array();
  delete reply.reply;
}

function ciphertextOf(reply: ReadSecretsResponse): Uint8Array | undefined {
  const content = reply.secrets[0]?.content;
  return content?.case === "ciphertext" ? content.value : undefined;
}

/** Changes the lowest bit of the last byte in place. */
function flip(bytes: Uint8Array | undefined): void {
  if (!bytes || bytes.length === 0) throw new Error("there is nothing to change");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
