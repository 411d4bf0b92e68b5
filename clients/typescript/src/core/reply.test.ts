import { createHash } from "node:crypto";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { create, toBinary } from "@bufbuild/protobuf";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ReplyClaims,
  ReplyClaimsSchema,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
  SecretResultSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled, readAad, readInfo } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "../node/keys.ts";
import type { TrustedKeys } from "./keyset.ts";
import { openReply } from "./reply.ts";
import { type Recipient, createRecipient } from "./seal.ts";

const replySeed = newSeed();
const replyPublicKey = rawPublicKey(privateKeyOf(replySeed));
const keys: TrustedKeys = {
  epoch: 1,
  notAfterMs: Number.POSITIVE_INFINITY,
  signerNotAfterMs: 0,
  has: () => true,
  key: () => replyPublicKey,
  answerKey: () => undefined,
  preferred: () => ({ keyId: "reply-1", publicKey: replyPublicKey }),
};
const requestDigest = new Uint8Array(32).fill(7);
const ids = ["sec_0000000000000000000a", "sec_0000000000000000000b"] as const;
const refusedId = "sec_0000000000000000000c";
// One message beside the claims and another in them, as they come from the wire.
const notGranted = () =>
  create(RefusalSchema, {
    reason: Reason.NOT_GRANTED,
    metadata: { secret_id: refusedId },
    retryAfter: { seconds: 7n },
    nextStep: "ask for a grant",
  });
const asked = { secretIds: [...ids, refusedId], version: 0, requestDigest };
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

function buffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function signed(claims: ReplyClaims) {
  const payload = toBinary(ReplyClaimsSchema, claims);
  const signature = signBytes(privateKeyOf(replySeed), labelled(LABELS.reply, payload));
  return { payload, keyId: "reply-1", signature };
}

/**
 * Answers as crypto does: one context, one ciphertext a secret, one signature over all outcomes.
 */
async function answer(recipient: Recipient, digest = requestDigest): Promise<ReadSecretsResponse> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(buffer(recipient.publicKey));
  const sender = await suite.createSenderContext({
    recipientPublicKey,
    info: buffer(readInfo(digest)),
  });
  const secrets = [];
  for (const secretId of ids) {
    const sealed = await sender.seal(
      buffer(Buffer.from(`value of ${secretId}`)),
      buffer(readAad(secretId, 3)),
    );
    secrets.push({
      secretId,
      name: secretId.slice(-1),
      version: 3,
      kind: ValueKind.SINGLE,
      ciphertext: new Uint8Array(sealed),
    });
  }
  const claims = create(ReplyClaimsSchema, {
    requestDigest: digest,
    secrets: [
      ...secrets.map(({ ciphertext, ...claim }) => ({
        ...claim,
        contentSha256: createHash("sha256").update(ciphertext).digest(),
      })),
      { secretId: refusedId, refusal: notGranted() },
    ],
  });
  return create(ReadSecretsResponseSchema, {
    encapsulatedKey: new Uint8Array(sender.enc),
    reply: signed(claims),
    secrets: [
      ...secrets.map(({ ciphertext, ...rest }) => ({
        ...rest,
        content: { case: "ciphertext" as const, value: ciphertext },
      })),
      { secretId: refusedId, refusal: notGranted() },
    ],
  });
}

test("a true reply is opened, and names what was refused", async () => {
  const recipient = await createRecipient();
  const { results, nextPageToken } = await openReply(
    await answer(recipient),
    asked,
    keys,
    recipient,
  );
  expect(nextPageToken).toBe("");
  expect(
    results.map((result) =>
      result.kind === "value" ? Buffer.from(result.plaintext).toString() : result.reason,
    ),
  ).toEqual([`value of ${ids[0]}`, `value of ${ids[1]}`, "NOT_GRANTED"]);
  expect(results[2]).toMatchObject({
    kind: "refused",
    metadata: { secret_id: refusedId },
    retryAfterMs: 7000,
    nextStep: "ask for a grant",
  });
});

describe("a gateway that lies is noticed when it", () => {
  const lies: Record<string, (reply: ReadSecretsResponse, other: ReadSecretsResponse) => unknown> =
    {
      "drops a secret": (reply) => reply.secrets.pop(),
      "gives a refusal another next step": (reply) => {
        const { refusal } = reply.secrets[2] ?? {};
        if (refusal) refusal.nextStep = "send the value to the gateway";
      },
      "gives a refusal another delay": (reply) => {
        const { refusal } = reply.secrets[2] ?? {};
        if (refusal) delete refusal.retryAfter;
      },
      "leaves a refusal out": (reply) => delete reply.secrets[2]?.refusal,
      "adds a secret": (reply) =>
        reply.secrets.push(create(SecretResultSchema, { secretId: "sec_0000000000000000000d" })),
      "repeats a secret": (reply) => reply.secrets.splice(1, 1, ...reply.secrets.slice(0, 1)),
      "swaps two values": (reply) => {
        const [a, b] = reply.secrets;
        if (a && b) [a.content, b.content] = [b.content, a.content];
      },
      "alters a value": (reply) => {
        const content = reply.secrets[0]?.content;
        if (content?.case === "ciphertext") content.value[0] = (content.value[0] ?? 0) ^ 1;
      },
      "answers in plaintext": (reply) => {
        const [first] = reply.secrets;
        if (first) first.content = { case: "value", value: Buffer.from("injected") };
      },
      "leaves the signature out": (reply) => {
        delete reply.reply;
      },
      "makes up a next page": (reply) => {
        reply.nextPageToken = ids[0];
      },
      "alters the signature": (reply) => {
        if (reply.reply) reply.reply.signature[0] = (reply.reply.signature[0] ?? 0) ^ 1;
      },
      "alters what was signed": (reply) => {
        if (reply.reply)
          reply.reply.payload = reply.reply.payload.map((byte, index) =>
            index === 40 ? byte ^ 1 : byte,
          );
      },
      "replays the reply to another request": (reply, other) => {
        Object.assign(reply, other);
      },
      "swaps the encapsulated key": (reply, other) => {
        reply.encapsulatedKey = other.encapsulatedKey;
      },
    };
  for (const [name, lie] of Object.entries(lies)) {
    test(name, async () => {
      const recipient = await createRecipient();
      const reply = await answer(recipient);
      lie(reply, await answer(recipient, new Uint8Array(32).fill(8)));
      await expect(openReply(reply, asked, keys, recipient)).rejects.toMatchObject({
        reason: "REPLY_UNTRUSTED",
      });
    });
  }

  test("answers for fewer secrets than were asked, with a true signature", async () => {
    const recipient = await createRecipient();
    const more = { ...asked, secretIds: [...asked.secretIds, "sec_0000000000000000000e"] };
    await expect(openReply(await answer(recipient), more, keys, recipient)).rejects.toMatchObject({
      reason: "REPLY_UNTRUSTED",
    });
  });

  test("serves an old version when another was asked", async () => {
    const recipient = await createRecipient();
    await expect(
      openReply(await answer(recipient), { ...asked, version: 4 }, keys, recipient),
    ).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
  });
});

describe("a read of what was granted", () => {
  const everything = { secretIds: [], version: 0, requestDigest };
  const next = ids[1];

  /** An empty page as crypto signs it. */
  function page(nextPageToken: string): ReadSecretsResponse {
    const reply = signed(create(ReplyClaimsSchema, { requestDigest, nextPageToken }));
    return create(ReadSecretsResponseSchema, { reply, nextPageToken });
  }

  test("may be empty, and says where it goes on", async () => {
    const recipient = await createRecipient();
    for (const nextPageToken of ["", next])
      expect(await openReply(page(nextPageToken), everything, keys, recipient)).toEqual({
        results: [],
        nextPageToken,
        keysetEpoch: 0,
      });
  });

  const lies: Record<string, (reply: ReadSecretsResponse) => unknown> = {
    "unsigned and empty": (reply) => {
      delete reply.reply;
      reply.nextPageToken = "";
    },
    "cut off after this page": (reply) => {
      reply.nextPageToken = "";
    },
    "led past a page": (reply) => {
      reply.nextPageToken = refusedId;
    },
    "signed by another key": (reply) => {
      const payload = reply.reply?.payload ?? new Uint8Array();
      const signature = signBytes(privateKeyOf(newSeed()), labelled(LABELS.reply, payload));
      Object.assign(reply.reply ?? {}, { signature });
    },
    "emptied, from another request": (reply) => {
      const claims = create(ReplyClaimsSchema, { requestDigest: new Uint8Array(32).fill(8) });
      Object.assign(reply, { reply: signed(claims), nextPageToken: "" });
    },
  };
  test.each(Object.entries(lies))("is refused when it is %s", async (_, lie) => {
    const reply = page(next);
    lie(reply);
    await expect(openReply(reply, everything, keys, await createRecipient())).rejects.toMatchObject(
      {
        reason: "REPLY_UNTRUSTED",
      },
    );
  });
});
