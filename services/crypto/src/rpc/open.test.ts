import { createHash } from "node:crypto";
import { clone, create, fromBinary, toJsonString } from "@bufbuild/protobuf";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { openPermit, sealPermit, verifyEd25519 } from "@sallyport/evidence";
import { Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import {
  OpenItemSchema,
  OpenResultSchema,
  type OpenedRequest,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  KeyUse,
  ReceiptSchema,
  ReplyClaimsSchema,
  SealingSuite,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { LABELS, labelled, readAad, readInfo } from "@sallyport/proto/signing";
import { fail } from "@sallyport/rpc";
import { beforeEach, describe, expect, test } from "vitest";
import { createFileKek } from "@sallyport/proto/keyring";
import { type AuditContract, createAuditContract } from "../testing/audit-contract.ts";
import { createDeployment, nowMs } from "../testing/deployment.ts";
import { type ReadPlan, type StoredSecret, planRead, storeSecret } from "../testing/read.ts";
import { openedOf, startReplica, verdictOf } from "../testing/replica.ts";
import { machineCredential } from "../testing/signing.ts";

const deployment = createDeployment();
const { machine, vaultId, projectId, trust } = deployment;
const stored = [
  await storeSecret(deployment, "DB_URL"),
  await storeSecret(deployment, "LOGIN", '{"USER":"u"}', ValueKind.FIELDS),
  await storeSecret(deployment, "EMPTY", ""),
] as [StoredSecret, StoredSecret, StoredSecret];
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const pair = await suite.kem.generateKeyPair();
const recipient = {
  suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
  publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)),
};

let log: AuditContract;
let replica: Awaited<ReturnType<typeof startReplica>>;

beforeEach(async () => {
  log = createAuditContract();
  replica = await startReplica(deployment, log);
});

const read = async (plan: ReadPlan = {}, secrets: readonly StoredSecret[] = stored) =>
  (await replica.open(planRead(deployment, secrets, plan)))[0];

function claimsOf({ reply }: OpenedRequest) {
  const publicKey = trust.publicKey(KeyUse.REPLY, reply?.keyId ?? "");
  if (!reply || !publicKey) throw new Error("no reply");
  expect(verifyEd25519(publicKey, labelled(LABELS.reply, reply.payload), reply.signature)).toBe(
    true,
  );
  return fromBinary(ReplyClaimsSchema, reply.payload);
}

describe("what the machine gets", () => {
  test("values in plaintext when it named no recipient, all of them signed", async () => {
    const item = planRead(deployment, stored);
    const [result] = await replica.open(item);
    const opened = openedOf(result);
    expect(result?.requestDigest).toEqual(item.requestDigest);
    expect(opened.encapsulatedKey.length).toBe(0);
    expect(opened.secrets.map(({ content }) => content.case)).toEqual(["value", "value", "value"]);
    expect(opened.secrets.map(({ content }) => Buffer.from(content.value ?? []))).toEqual(
      stored.map(({ plaintext }) => plaintext),
    );
    const claims = claimsOf(opened);
    expect(claims.requestDigest).toEqual(item.requestDigest);
    expect(
      claims.secrets.map(({ secretId, name, version, kind, contentSha256 }) => ({
        secretId,
        name,
        version,
        kind,
        contentSha256,
      })),
    ).toEqual(
      stored.map(({ secretId, name, version, plaintext }) => ({
        secretId,
        name,
        version,
        kind: name === "LOGIN" ? ValueKind.FIELDS : ValueKind.SINGLE,
        contentSha256: sha256(plaintext),
      })),
    );
  });

  test("values sealed to its key, one context, bound to request, secret and version", async () => {
    const item = planRead(deployment, stored, {
      asked: { secretIds: stored.map(({ secretId }) => secretId), recipient },
    });
    const opened = openedOf((await replica.open(item))[0]);
    const context = await suite.createRecipientContext({
      recipientKey: pair.privateKey,
      enc: opened.encapsulatedKey,
      info: readInfo(item.requestDigest),
    });
    const claims = claimsOf(opened);
    for (const [at, secret] of stored.entries()) {
      const { content } = opened.secrets[at] ?? {};
      if (content?.case !== "ciphertext") throw new Error("not sealed");
      expect(claims.secrets[at]?.contentSha256).toEqual(sha256(content.value));
      const plaintext = await context.open(content.value, readAad(secret.secretId, secret.version));
      expect(Buffer.from(plaintext)).toEqual(secret.plaintext);
    }
  });

  test("the signed outcome of every secret of the permit, the refused ones included, in the permit's order", async () => {
    const refused = await storeSecret(deployment, "REFUSED");
    const [first, second] = stored;
    const secrets = [
      { secretId: first.secretId, projectId },
      { secretId: refused.secretId, refusal: { reason: Reason.NOT_GRANTED, nextStep: "ask" } },
      { secretId: second.secretId, projectId },
    ];
    const secretIds = secrets.map(({ secretId }) => secretId);
    const opened = openedOf(
      await read({ asked: { secretIds }, permit: { secrets } }, [second, first]),
    );
    expect(opened.secrets.map(({ secretId }) => secretId)).toEqual([
      first.secretId,
      second.secretId,
    ]);
    const claims = claimsOf(opened).secrets;
    expect(claims.map(({ secretId }) => secretId)).toEqual(secretIds);
    expect(claims[1]).toMatchObject({
      name: "",
      version: 0,
      refusal: { reason: Reason.NOT_GRANTED, nextStep: "ask" },
      contentSha256: new Uint8Array(),
    });
    expect(log.events.map(({ secretId }) => secretId)).toEqual([first.secretId, second.secretId]);
  });

  test("the log's receipt with each secret that it opened, where the log gives any", async () => {
    const [first, second] = stored;
    expect(claimsOf(openedOf(await read())).secrets.map(({ receipt }) => receipt)).toEqual(
      stored.map(() => undefined),
    );
    const receiptOf = (secretId: string) =>
      create(ReceiptSchema, {
        record: new TextEncoder().encode(secretId),
        inclusionProof: [new Uint8Array(32).fill(3)],
        checkpoint: "log.example\n1\n",
      });
    log.giveReceipts(receiptOf);
    const claims = claimsOf(openedOf(await read({}, [second, first])));
    expect(claims.secrets.map(({ receipt }) => receipt)).toEqual([
      receiptOf(second.secretId),
      receiptOf(first.secretId),
    ]);
  });

  test("a record with the facts that policy's decision rested on", async () => {
    const [first] = stored;
    const { secretId } = first;
    const secrets = [{ secretId, projectId, facts: { sealed_only: "true", name: "ANOTHER" } }];
    openedOf(await read({ permit: { secrets } }, [first]));
    // What crypto knows itself, it does not take from policy.
    expect(log.events[0]?.detail).toMatchObject({ sealed_only: "true", name: first.name });
  });

  test("only what it asked of each item: items are independent and matched by digest", async () => {
    const good = planRead(deployment, stored);
    const bad = planRead(deployment, stored, { permit: { requestDigest: new Uint8Array(32) } });
    const results = await replica.open(bad, good);
    const verdict = (digest: Uint8Array) =>
      verdictOf(results.find(({ requestDigest }) => Buffer.compare(requestDigest, digest) === 0));
    expect(verdict(good.requestDigest)).toBe("opened");
    expect(verdict(bad.requestDigest)).toBe("EVIDENCE_INVALID permit");
  });
});

describe("a reply cannot be shortened", () => {
  test.each([
    { name: "a project", target: { projectId } },
    { name: "everything granted", target: { allGranted: true } },
  ])("an empty page of $name is signed, and nothing is recorded", async ({ target }) => {
    for (const to of [{}, { recipient }]) {
      const item = planRead(deployment, [], { asked: { ...target, ...to } });
      const opened = openedOf((await replica.open(item))[0]);
      expect(opened.secrets).toEqual([]);
      expect(claimsOf(opened)).toMatchObject({
        requestDigest: item.requestDigest,
        secrets: [],
        nextPageToken: "",
      });
    }
    expect(log.calls()).toBe(0);
  });

  test("where the next page begins is signed as policy said it", async () => {
    const nextPageToken = newId("sec");
    const asked = { secretIds: [], allGranted: true, pageToken: newId("sec") };
    expect(claimsOf(openedOf(await read({ asked, permit: { nextPageToken } }))).nextPageToken).toBe(
      nextPageToken,
    );
  });
});

describe("no record, no value", () => {
  test("one record for each secret, with everything that ties it to the read", async () => {
    const item = planRead(deployment, stored, {
      asked: { secretIds: stored.map(({ secretId }) => secretId), recipient },
    });
    await replica.open(item);
    expect(log.events.length).toBe(3);
    for (const [at, event] of log.events.entries())
      expect(event).toMatchObject({
        action: "secret.read",
        outcome: Outcome.ALLOWED,
        actorId: machine.id,
        machineId: machine.id,
        vaultId,
        projectId,
        secretId: stored[at]?.secretId,
        secretVersion: 3,
        sourceIp: "192.0.2.7",
        client: "sallyport-cli/0.1.0",
        requestDigest: item.requestDigest,
        policyVersion: 4,
        detail: { name: stored[at]?.name, selector: "current", sealed: "true" },
      });
    expect(
      new Set(log.events.map(({ attemptId }) => Buffer.from(attemptId).toString("hex"))).size,
    ).toBe(1);
    expect(log.events[0]?.attemptId.length).toBe(16);
  });

  test("the record tells that a version was asked for by its number, and that its value was not sealed", async () => {
    const [{ secretId }] = stored;
    const asked = { version: 3 };
    const permit = { secrets: [{ secretId, projectId, requestedVersion: 3 }] };
    await read({ asked, permit, slip: { requestedVersion: 3 } }, stored.slice(0, 1));
    expect(log.events).toMatchObject([{ detail: { selector: "3", sealed: "false" } }]);
  });

  test("a permit opens once, whoever replays it, on however many replicas", async () => {
    const [one, two] = [replica, await startReplica(deployment, log)];
    const item = planRead(deployment, stored);
    const verdicts = (
      await Promise.all([one.open(item), two.open(item), one.open(item), two.open(item, item)])
    )
      .flat()
      .map(verdictOf);
    expect(verdicts.filter((verdict) => verdict === "opened").length).toBe(1);
    expect(verdicts.filter((verdict) => verdict === "ALREADY_RECORDED").length).toBe(4);
    expect(log.events.length).toBe(3);
  });

  test("a signed request opens once, however many permits policy gave for it", async () => {
    const item = planRead(deployment, stored);
    const again = clone(OpenItemSchema, item);
    const keys = deployment.keyring.permit;
    if (!item.permit) throw new Error("no permit");
    again.permit = sealPermit(
      { ...openPermit(item.permit, keys, nowMs), decisionId: newId("dec") },
      keys,
    );
    expect((await replica.open(item)).map(verdictOf)).toEqual(["opened"]);
    expect((await replica.open(again)).map(verdictOf)).toEqual(["ALREADY_RECORDED"]);
    expect(log.events.length).toBe(3);
  });

  test("a replay of a part is refused as a whole", async () => {
    const item = planRead(deployment, stored.slice(0, 1));
    await replica.open(item);
    const { decisionId = "" } = log.events[0] ?? {};
    expect(verdictOf(await read({ permit: { decisionId } }))).toBe("ALREADY_RECORDED");
  });

  test.each([["lost answer"], ["away"], ["away", "lost answer"]] as const)(
    "its own repeat after %s %s succeeds and records once",
    async (...troubles) => {
      log.trouble(...troubles);
      expect(verdictOf(await read())).toBe("opened");
      expect(log.events.length).toBe(3);
      expect(log.calls()).toBe(troubles.length + 1);
    },
  );

  test("audit away: refused, to be tried again, and nothing is opened", async () => {
    log.trouble("away", "away", "away");
    const result = await read();
    expect(verdictOf(result)).toBe("DEPENDENCY_UNAVAILABLE");
    expect(result?.outcome.case === "refusal" && result.outcome.value.retryAfter).toBeTruthy();
    expect(log.events.length).toBe(0);
    expect(verdictOf(await read())).toBe("opened");
  });

  test("an event that audit does not confirm counts as not recorded", async () => {
    log.trouble("unconfirmed");
    expect(verdictOf(await read())).toBe("DEPENDENCY_UNAVAILABLE");
    expect(JSON.parse(replica.logged())).toMatchObject({
      err: { cause: { message: "audit did not confirm an event" } },
    });
  });

  test.each([
    ["alone", stored.slice(0, 1)],
    ["behind others, which it holds back", stored],
  ])("a record that audit refuses opens nothing: %s", async (_, secrets) => {
    log.trouble("refused");
    expect(verdictOf(await read({}, secrets))).toMatch(/^INTERNAL/);
    expect(log.calls()).toBe(1);
    expect(JSON.parse(replica.logged())).toMatchObject({
      err: { cause: { message: "audit refused a read's record" } },
    });
  });

  test("what its token may have recorded is spent: told how long, nothing is opened", async () => {
    log.trouble("limited");
    const result = await read();
    expect(verdictOf(result)).toBe("RATE_LIMITED");
    expect(result?.outcome).toMatchObject({ value: { retryAfter: { seconds: 7n } } });
    expect([log.calls(), log.events.length]).toEqual([1, 0]);
    expect(verdictOf(await read())).toBe("opened");
  });

  test("the record names the enrollment token that identity says the machine came of", async () => {
    const originId = newId("tok");
    const credential = machineCredential(deployment, { originId });
    const item = { ...planRead(deployment, stored), credential };
    expect(verdictOf((await replica.open(item))[0])).toBe("opened");
    expect(new Set(log.events.map((event) => event.originId))).toEqual(new Set([originId]));
  });

  test("an audit that takes for ever is asked again", async () => {
    log.trouble("stuck");
    expect(verdictOf(await read())).toBe("opened");
    expect(log.calls()).toBe(2);
  });

  test("a call that audit refuses is our own fault, and not tried again", async () => {
    let calls = 0;
    const append = () => {
      calls += 1;
      return Promise.reject(fail(Reason.FIELD_INVALID));
    };
    replica = await startReplica(deployment, { ...log, audit: { append } });
    expect(verdictOf(await read())).toMatch(/^INTERNAL/);
    expect(calls).toBe(1);
  });

  test("a reply over 3 MiB is refused before anything is recorded", async () => {
    const [big, ...others] = await Promise.all(
      Array.from({ length: 48 }, (_, at) =>
        storeSecret(deployment, `BIG_${at}`, new Uint8Array(65_536)),
      ),
    );
    expect(verdictOf(await read({}, big ? [big, ...others] : []))).toBe(
      `TOO_LARGE ${3 * 1024 * 1024}`,
    );
    expect(log.calls()).toBe(0);
    expect(verdictOf(await read({}, others))).toBe("opened");
  });
});

test("no log line and no refusal holds a value", async () => {
  const canary = "canary-7f3a9c";
  const secret = await storeSecret(deployment, "CANARY", canary);
  const shown: string[] = [];
  const record = async (secrets: readonly StoredSecret[]) => {
    const result = await read({}, secrets);
    expect(verdictOf(result)).not.toBe("opened");
    shown.push(toJsonString(OpenResultSchema, result ?? create(OpenResultSchema)));
  };
  log.trouble("unconfirmed");
  await record([secret]);
  log.trouble("away", "away", "away");
  await record([secret]);
  await record([secret, { ...stored[0], version: 9 }]);
  await record([secret, { ...stored[0], envelope: secret.envelope }]);
  expect(replica.logged()).toContain("EVIDENCE_INVALID");
  for (const text of [...shown, replica.logged()])
    for (const form of [
      canary,
      Buffer.from(canary).toString("base64"),
      Buffer.from(canary).toString("hex"),
    ])
      expect(text).not.toContain(form);
});

test("a fault of our own is INTERNAL, tells no more than the request's id, and is logged as an error", async () => {
  const away = {
    ...createFileKek(deployment.kek),
    unwrap: () => Promise.reject(new Error("the KMS is away")),
  };
  replica = await startReplica(deployment, log, away);
  const result = await read();
  expect(verdictOf(result)).toBe("INTERNAL "); // No gateway gave this call an id.
  expect(log.calls()).toBe(0);
  expect(JSON.parse(replica.logged())).toMatchObject({
    level: "error",
    msg: "failed to open",
    reason: "INTERNAL",
    request_id: "",
    err: { cause: { message: "the KMS is away" } },
  });
});

test("a refusal is logged as a warning, with its reason", async () => {
  expect(verdictOf(await read({ request: { method: "PUT" } }))).toBe("EVIDENCE_INVALID method");
  expect(JSON.parse(replica.logged())).toMatchObject({
    level: "warn",
    msg: "refused to open",
    reason: "EVIDENCE_INVALID",
    request_id: "",
  });
});
