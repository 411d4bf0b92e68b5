import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  ReplyClaimsSchema,
  SealingSuite,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequestSchema,
  type ReadSecretsResponse,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { FetchItem } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail, toRefusal } from "@sallyport/rpc";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call } from "../testing/calls.ts";
import { allow, decide, decisionId, deny, notGranted, secretIdsOf } from "../testing/decisions.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestPrincipal, newMachine } from "../testing/keys.ts";
import { type PeerSteps, openedOf } from "../testing/peers.ts";
import { type PublicRefusal, connectJson } from "../testing/wires.ts";

let pki: TestPki;
let gateway: TestGateway;
let machine: TestPrincipal;
let steps: PeerSteps;
let usual: PeerSteps;
const { readSecrets } = ReadService.method;

beforeAll(async () => {
  pki = await createTestPki();
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
  machine = gateway.peers.enroll(newMachine());
  steps = gateway.peers.steps;
  usual = { ...steps };
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});
beforeEach(() => {
  Object.assign(steps, usual);
  gateway.peers.reached.splice(0);
});

type Wanted = MessageInitShape<typeof ReadSecretsRequestSchema>;

async function read(wanted: Wanted): Promise<ReadSecretsResponse> {
  const answer = await call(connectJson, gateway, machine, readSecrets, wanted);
  if (answer.kind === "refusal") throw new Error(answer.refusal.text);
  return answer.message;
}

async function refused(wanted: Wanted): Promise<PublicRefusal> {
  const answer = await call(connectJson, gateway, machine, readSecrets, wanted);
  if (answer.kind === "reply") throw new Error("it was answered");
  return answer.refusal;
}

/** Notes what secrets and crypto are asked for. */
function listen(): { readonly fetched: FetchItem[]; readonly opened: OpenItem[] } {
  const heard = { fetched: [] as FetchItem[], opened: [] as OpenItem[] };
  const { fetch, open } = steps;
  steps.fetch = (request, context) => {
    heard.fetched.push(...request.items);
    return fetch(request, context);
  };
  steps.open = (request, context) => {
    heard.opened.push(...request.items);
    return open(request, context);
  };
  return heard;
}

const textOf = (content: ReadSecretsResponse["secrets"][number]["content"]) =>
  content.case === undefined ? "" : Buffer.from(content.value).toString();

describe("what peers are asked", () => {
  test("is about the machine that signed, by its credential, and about the request's digest", async () => {
    const secretIds = secretIdsOf(2);
    const asked = decide(gateway.peers, allow(secretIds));
    const { fetched, opened } = listen();
    await read({ secretIds, allOrNothing: true });
    const [item] = asked;
    expect(item).toMatchObject({
      machineId: machine.principalId,
      vaultId: machine.vaultId,
      sourceIp: "127.0.0.1",
      purpose: Purpose.READ,
      secretIds,
      projectId: "",
      allGranted: false,
      allOrNothing: true,
      sealed: false,
    });
    expect(item?.requestId).toMatch(/^req_/);
    expect(fetched).toHaveLength(1);
    expect(fetched[0]).toMatchObject({ vaultId: machine.vaultId, secretIds, requestedVersion: 0 });
    expect(opened).toHaveLength(1);
    expect(opened[0]?.credential?.keyId).toBe("credential-1");
    expect(opened[0]?.signedRequest?.path).toBe("/sallyport.gateway.v1.ReadService/ReadSecrets");
    expect(Buffer.from(opened[0]?.permit?.payload ?? []).toString()).toBe("permit");
    for (const { requestDigest } of [...fetched, ...opened])
      expect(requestDigest).toEqual(item?.requestDigest);
  });

  test("says what else the request asked for", async () => {
    const [secretId = ""] = secretIdsOf(1);
    const recipient = {
      suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
      publicKey: new Uint8Array(32).fill(9),
    };
    const asked = decide(gateway.peers, allow([secretId]));
    const { fetched } = listen();
    await read({ secretIds: [secretId], version: 7, recipient });
    expect(asked[0]).toMatchObject({ requestedVersion: 7, sealed: true });
    expect(fetched[0]).toMatchObject({ requestedVersion: 7 });
    const projectId = newId("prj");
    await read({ projectId, pageToken: secretId });
    expect(asked[1]).toMatchObject({
      projectId,
      pageToken: secretId,
      secretIds: [],
      allGranted: false,
    });
    await read({ allGranted: true });
    expect(asked[2]).toMatchObject({ projectId: "", allGranted: true });
  });

  test.each([
    ["0", "00".repeat(32)],
    ["1", `01${"00".repeat(31)}`],
    ["of order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
    ["p", `ed${"ff".repeat(30)}7f`],
    ["not canonical", `09${"00".repeat(30)}80`],
    ["of 31 bytes", "09".repeat(31)],
  ])("is nothing for a recipient key that is %s: the client is told its field", async (_, key) => {
    const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
    const recipient = { suite, publicKey: new Uint8Array(Buffer.from(key, "hex")) };
    const { code, reason, metadata } = await refused({ allGranted: true, recipient });
    expect([code, reason]).toEqual([Code.InvalidArgument, "FIELD_INVALID"]);
    expect(metadata["field"]).toBe("recipient.public_key");
    expect(gateway.peers.reached).toEqual([]);
  });
});

describe("a request that names its secrets", () => {
  test("asks policy and secrets at the same time", async () => {
    const secretIds = secretIdsOf(2);
    const fetching = Promise.withResolvers<void>();
    const { authorize, fetch } = steps;
    steps.authorize = async (request, context) => {
      await fetching.promise; // Would wait for ever if the fetch came after the decision.
      return authorize(request, context);
    };
    steps.fetch = (request, context) => {
      fetching.resolve();
      return fetch(request, context);
    };
    expect((await read({ secretIds })).secrets).toHaveLength(2);
  });

  test("is refused by policy whatever becomes of the fetch, and reaches no crypto", async () => {
    const [secretId = ""] = secretIdsOf(1);
    const refusal = toRefusal(fail(Reason.NOT_GRANTED, { secret_id: secretId }));
    steps.authorize = ({ items }) => ({
      results: items.map(({ requestDigest }) => ({ requestDigest, refusal })),
    });
    for (const broken of [fail(Reason.TOO_LARGE), fail(Reason.DEPENDENCY_UNAVAILABLE)]) {
      steps.fetch = () => {
        throw broken;
      };
      expect(await refused({ secretIds: [secretId] })).toMatchObject({
        code: Code.PermissionDenied,
        reason: "NOT_GRANTED",
        metadata: { secret_id: secretId },
      });
    }
    expect(gateway.peers.reached).not.toContain("crypto.open");
  });

  test("gives crypto only what policy allowed, and hears of the refused nothing but the refusal", async () => {
    const [granted, foreign] = [secretIdsOf(2), secretIdsOf(1)];
    decide(gateway.peers, [...deny(foreign), ...allow(granted)]);
    const { fetched, opened } = listen();
    const { fetch } = steps;
    // The refused one is too large to read: whoever has no grant must not learn that.
    steps.fetch = (request, context) => {
      if (request.items[0]?.secretIds.some((id) => foreign.includes(id)))
        throw fail(Reason.TOO_LARGE);
      return fetch(request, context);
    };
    await read({ secretIds: [...granted, ...foreign] });
    expect(fetched.map(({ secretIds }) => secretIds)).toEqual([granted]);
    expect(
      opened[0]?.secrets.map(({ slip }) => Buffer.from(slip?.payload ?? []).toString()),
    ).toEqual(granted);
  });

  test("of which all are refused still gets crypto's signed word for it", async () => {
    const secretIds = secretIdsOf(2);
    decide(gateway.peers, deny(secretIds));
    const { opened } = listen();
    steps.open = ({ items }) => ({
      results: items.map(({ requestDigest }) => {
        const secrets = secretIds.map((secretId) => ({ secretId, refusal: notGranted }));
        const claims = create(ReplyClaimsSchema, { requestDigest, secrets });
        const payload = toBinary(ReplyClaimsSchema, claims);
        const reply = { payload, keyId: "reply-1", signature: new Uint8Array(64) };
        return { requestDigest, outcome: { case: "opened", value: { secrets: [], reply } } };
      }),
    });
    const { secrets, reply } = await read({ secretIds });
    expect(opened).toEqual([]);
    expect(reply).toBeDefined();
    expect(
      secrets.map(({ refusal, content, name }) => ({ refusal, content: content.case, name })),
    ).toEqual(
      secretIds.map(() => ({
        refusal: create(RefusalSchema, notGranted),
        content: undefined,
        name: "",
      })),
    );
  });

  test.each([
    [0, "secret"],
    [4, "version"],
  ])("of version %d that secrets does not have is NOT_FOUND by %s", async (version, field) => {
    const secretIds = secretIdsOf(1);
    decide(gateway.peers, allow(secretIds));
    steps.fetch = ({ items }) => ({
      results: items.map(({ requestDigest }) => ({ requestDigest, secrets: [] })),
    });
    expect(await refused({ secretIds, version })).toMatchObject({
      reason: "NOT_FOUND",
      metadata: { field },
    });
    expect(gateway.peers.reached).not.toContain("crypto.open");
  });
});

describe("a request that names a project or everything", () => {
  test("asks policy first and fetches what it found; the next page is what crypto signed", async () => {
    const found = secretIdsOf(3);
    decide(gateway.peers, allow(found), newId("sec"));
    const { fetched } = listen();
    steps.open = ({ items }) => ({
      results: items.map(({ requestDigest }) => ({
        requestDigest,
        outcome: { case: "opened", value: openedOf(requestDigest, found, found[2]) },
      })),
    });
    const { secrets, nextPageToken } = await read({ allGranted: true });
    expect(gateway.peers.reached).toEqual(["policy.authorize", "secrets.fetch", "crypto.open"]);
    expect(fetched[0]?.secretIds).toEqual(found);
    expect(secrets).toHaveLength(3);
    expect(nextPageToken).toBe(found[2]);
  });

  test("and finds nothing gets crypto's signed word for it", async () => {
    decide(gateway.peers, []);
    const { secrets, reply, decisionId: answered } = await read({ allGranted: true });
    expect(secrets).toEqual([]);
    expect(reply?.keyId).toBe("reply-1");
    expect(answered).toBe(decisionId);
    expect(gateway.peers.reached).toEqual(["policy.authorize", "crypto.open"]);
  });
});

describe("the answer", () => {
  test("joins values, names and projects by id, in whatever order each peer gives them", async () => {
    const secretIds = secretIdsOf(5);
    const projects = new Map(secretIds.map((id) => [id, newId("prj")]));
    decide(
      gateway.peers,
      secretIds.toReversed().map((secretId) => ({
        secretId,
        projectId: projects.get(secretId) ?? "",
      })),
    );
    const { secrets, reply, decisionId: answered } = await read({ secretIds });
    expect(secrets).toHaveLength(5);
    for (const secret of secrets) {
      expect(textOf(secret.content)).toBe(`value of ${secret.secretId}`);
      expect(secret.projectId).toBe(projects.get(secret.secretId));
      expect(secret).toMatchObject({
        name: `name-of-${secret.secretId}`,
        version: 3,
        kind: ValueKind.SINGLE,
      });
    }
    expect(reply?.keyId).toBe("reply-1");
    expect(answered).toBe(decisionId);
  });

  test("hands on ciphertexts, the encapsulated key and crypto's reply byte for byte", async () => {
    const secretIds = secretIdsOf(2);
    const sealed = secretIds.map((secretId) => ({
      secretId,
      content: { case: "ciphertext" as const, value: Buffer.from(`sealed ${secretId}`) },
    }));
    let signed: Uint8Array | undefined;
    steps.open = ({ items }) => ({
      results: items.map(({ requestDigest }) => {
        const value = openedOf(requestDigest, secretIds);
        signed = value.reply.payload;
        const encapsulatedKey = new Uint8Array(32).fill(5);
        return {
          requestDigest,
          outcome: { case: "opened", value: { ...value, secrets: sealed, encapsulatedKey } },
        };
      }),
    });
    const { secrets, encapsulatedKey, reply } = await read({ secretIds });
    for (const { content, secretId } of secrets) {
      expect(content.case).toBe("ciphertext");
      expect(textOf(content)).toBe(`sealed ${secretId}`);
    }
    expect(Buffer.from(encapsulatedKey)).toEqual(Buffer.alloc(32, 5));
    expect(Buffer.from(reply?.payload ?? [])).toEqual(Buffer.from(signed ?? []));
  });

  const stranger = new Uint8Array(32).fill(1);
  test.each<[string, Partial<PeerSteps>]>([
    [
      "policy answered another request",
      { authorize: () => ({ results: [{ requestDigest: stranger }] }) },
    ],
    ["policy answered nothing", { authorize: () => ({}) }],
    [
      "secrets answered another request",
      { fetch: () => ({ results: [{ requestDigest: stranger }] }) },
    ],
    [
      "crypto answered another request",
      { open: () => ({ results: [{ requestDigest: stranger }] }) },
    ],
    [
      "crypto gave no outcome",
      { open: ({ items }) => ({ results: items.map(({ requestDigest }) => ({ requestDigest })) }) },
    ],
    [
      "crypto signed nothing",
      {
        open: ({ items }) => ({
          results: items.map(({ requestDigest }) => ({
            requestDigest,
            outcome: { case: "opened", value: {} },
          })),
        }),
      },
    ],
    [
      "policy gave no permit",
      {
        authorize: ({ items }) => ({
          results: items.map(({ requestDigest }) => ({
            requestDigest,
            secrets: [...allow(secretIdsOf(1))],
          })),
        }),
      },
    ],
  ])("is INTERNAL when %s", async (_, broken) => {
    Object.assign(steps, broken);
    expect(await refused({ secretIds: secretIdsOf(1) })).toMatchObject({
      code: Code.Internal,
      reason: "INTERNAL",
    });
  });

  test.each([
    [Reason.ALREADY_RECORDED, "REQUEST_REJECTED"],
    [Reason.EVIDENCE_INVALID, "INTERNAL"],
    [Reason.DEPENDENCY_UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"],
    [Reason.TOO_LARGE, "TOO_LARGE"],
  ])("of crypto's refusal %d is %s", async (reason, told) => {
    steps.open = ({ items }) => ({
      results: items.map(({ requestDigest }) => {
        const value = toRefusal(fail(reason, { step: "permit", limit_bytes: "3145728" }));
        return { requestDigest, outcome: { case: "refusal", value } };
      }),
    });
    const refusal = await refused({ secretIds: secretIdsOf(1) });
    expect(refusal.reason).toBe(told);
    expect(refusal.text).not.toContain("permit");
  });

  test.each(["authorize", "fetch", "open"] as const)("is unavailable while %s is", async (step) => {
    steps[step] = () => {
      throw fail(Reason.DEPENDENCY_UNAVAILABLE);
    };
    expect(await refused({ secretIds: secretIdsOf(1) })).toMatchObject({
      code: Code.Unavailable,
      reason: "DEPENDENCY_UNAVAILABLE",
      retryAfterMs: 1000,
    });
  });
});
