import { randomBytes } from "node:crypto";
import {
  type DescMessage,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { newSeed, openSallyport, toSallyportError } from "@sallyport/client";
import { signEd25519 } from "@sallyport/evidence";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  ReplyClaimsSchema,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsResponse,
  ReadSecretsResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled, readAad, readInfo } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { valuesOf } from "../../system/deployment.ts";
import { canaries } from "../field.ts";
import type { Front } from "./front.ts";
import type { Stage } from "./stage.ts";

type Lie = {
  readonly name: string;
  readonly says: string;
  readonly lie: (reply: ReadSecretsResponse) => void;
};

const injected = Buffer.from("injected");
const readPath = `/${ReadService.typeName}/${ReadService.method.readSecrets.name}`;

const notGranted = () => create(RefusalSchema, { reason: Reason.NOT_GRANTED });

const lies: readonly Lie[] = [
  {
    name: "a value of its own, in plaintext",
    says: "is not sealed",
    lie: ({ secrets: [first] }) => first && (first.content = { case: "value", value: injected }),
  },
  {
    name: "a ciphertext of its own",
    says: "is not what was signed",
    lie: ({ secrets: [first] }) =>
      first && (first.content = { case: "ciphertext", value: injected }),
  },
  {
    name: "two values exchanged",
    says: "is not what was signed",
    lie({ secrets: [one, other] }) {
      if (one && other) [one.content, other.content] = [other.content, one.content];
    },
  },
  {
    name: "two names exchanged",
    says: "is not described as it was signed",
    lie({ secrets: [one, other] }) {
      if (one && other) [one.name, other.name] = [other.name, one.name];
    },
  },
  {
    name: "two ids exchanged",
    says: "is not described as it was signed",
    lie({ secrets: [one, other] }) {
      if (one && other) [one.secretId, other.secretId] = [other.secretId, one.secretId];
    },
  },
  {
    name: "another version",
    says: "is not described as it was signed",
    lie: ({ secrets: [first] }) => first && (first.version += 1),
  },
  {
    name: "another layout",
    says: "is not described as it was signed",
    lie: ({ secrets: [first] }) => first && (first.kind = ValueKind.FIELDS),
  },
  {
    name: "a refusal in the place of a value",
    says: "is not described as it was signed",
    lie: ({ secrets: [first] }) =>
      first && Object.assign(first, { refusal: notGranted(), content: { case: undefined } }),
  },
  {
    name: "a secret left out",
    says: "secrets were added or left out",
    lie: ({ secrets }) => void secrets.pop(),
  },
  {
    name: "a secret added",
    says: "secrets were added or left out",
    lie: ({ secrets }) => void secrets.push(...secrets.slice(0, 1)),
  },
  {
    name: "a page that seems to follow",
    says: "the next page is not the one that was signed",
    lie: (reply) => (reply.nextPageToken = reply.secrets[0]?.secretId ?? ""),
  },
  { name: "no signature", says: "it is not signed", lie: (reply) => void delete reply.reply },
  {
    name: "a secret left out, and that signed with a key of its own",
    says: "the signature does not hold",
    lie({ secrets, reply }) {
      secrets.pop();
      if (reply) signOwn(reply, (claims) => void claims.secrets.pop());
    },
  },
  {
    name: "a signature under a key id that it made up",
    says: "the keyset has no reply key gateway-1",
    lie: ({ reply }) => reply && (reply.keyId = "gateway-1"),
  },
  {
    name: "a signature under the name of identity's key",
    says: "the keyset has no reply key",
    lie: ({ reply }) => reply && (reply.keyId = reply.keyId.replace("reply", "credential")),
  },
  {
    name: "another encapsulated key",
    says: "does not open",
    lie: (reply) => (reply.encapsulatedKey = new Uint8Array(randomBytes(32))),
  },
];

/** The attacks on what clients are answered. */
export function describeReplies(stage: () => Stage, front: () => Front): void {
  describe("altering a reply", () => {
    test.each(lies)("$name", async ({ lie, says }) => {
      const { field } = stage();
      const reader = openSallyport(field.machine);
      const read = () => reader.read({ secretIds: field.granted });
      try {
        front().reply = altering(ReadSecretsResponseSchema, readPath, lie);
        const begin = await field.ledger.end();
        const refused = await read().then(() => undefined, toSallyportError);
        expect(refused?.reason).toBe("REPLY_UNTRUSTED");
        expect(refused?.message.toLowerCase()).toContain(says);
        // Crypto had opened it in good faith, for the machine that asked: that is on record.
        expect(await field.ledger.since(begin, "secret.read")).toHaveLength(field.granted.length);
        front().reply = (_, message) => message;
        expect(valuesOf(await read())).toEqual({
          DB_URL: canaries.DB_URL,
          API_KEY: canaries.API_KEY,
        });
      } finally {
        front().reply = (_, message) => message;
        reader.close();
      }
    });

    test("the reply to an earlier request, as it was", async () => {
      const { field } = stage();
      const reader = openSallyport(field.machine);
      const kept: Uint8Array[] = [];
      front().reply = (path, message) => {
        if (path !== readPath) return message;
        kept.push(message);
        return kept[0] ?? message;
      };
      expect(await reader.read({ secretIds: field.granted })).toHaveLength(2);
      await expect(reader.read({ secretIds: field.granted })).rejects.toThrow(
        "it answers another request",
      );
      front().reply = (_, message) => message;
      expect(await reader.read({ secretIds: field.granted })).toHaveLength(2);
      reader.close();
    });

    test("a value of its own, truly sealed to the client's key for this request", async () => {
      const { field } = stage();
      const reader = openSallyport(field.machine);
      const [secretId = ""] = field.granted;
      front().reply = async (path, message) => {
        if (path !== readPath) return message;
        const reply = fromBinary(ReadSecretsResponseSchema, message);
        const forged = await sealAsAnybody(front().asked, secretId, reply.secrets[0]?.version ?? 0);
        reply.encapsulatedKey = forged.encapsulatedKey;
        for (const secret of reply.secrets)
          secret.content = { case: "ciphertext", value: forged.ciphertext };
        return toBinary(ReadSecretsResponseSchema, reply);
      };
      await expect(reader.read({ secretIds: [secretId] })).rejects.toThrow(
        "is not what was signed",
      );
      front().reply = (_, message) => message;
      expect(valuesOf(await reader.read({ secretIds: [secretId] }))).toEqual({
        DB_URL: canaries.DB_URL,
      });
      reader.close();
    });

    test("what it gives: the project and the decision that stand beside a read are not signed", async () => {
      const { field } = stage();
      const reader = openSallyport(field.machine);
      front().reply = altering(ReadSecretsResponseSchema, readPath, ({ secrets }) => {
        for (const secret of secrets) secret.projectId = field.foreign.projectId;
      });
      const results = await reader.read({ secretIds: field.granted });
      front().reply = (_, message) => message;
      expect(results.map(({ projectId }) => projectId)).toEqual(
        field.granted.map(() => field.foreign.projectId),
      );
      expect(valuesOf(results)).toEqual({ DB_URL: canaries.DB_URL, API_KEY: canaries.API_KEY });
      reader.close();
    });
  });
}

/** Changes the message of replies of one method. */
export function altering<D extends DescMessage>(
  schema: D,
  path: string,
  change: (message: MessageShape<D>) => unknown,
): Front["reply"] {
  return (called, bytes) => {
    if (called !== path) return bytes;
    const message = fromBinary(schema, bytes);
    change(message);
    return toBinary(schema, message);
  };
}

function signOwn(
  reply: NonNullable<ReadSecretsResponse["reply"]>,
  change: (claims: MessageShape<typeof ReplyClaimsSchema>) => void,
): void {
  const claims = fromBinary(ReplyClaimsSchema, reply.payload);
  change(claims);
  const payload = toBinary(ReplyClaimsSchema, claims);
  Object.assign(reply, {
    payload,
    signature: signEd25519(newSeed(), labelled(LABELS.reply, payload)),
  });
}

/**
 * Anybody can seal to a key that a request shows: what makes a value true is the signature over it.
 */
async function sealAsAnybody(asked: Front["asked"], secretId: string, version: number) {
  if (!asked?.message.recipient) throw new Error("the read names no key to seal to");
  const kem = new DhkemX25519HkdfSha256();
  const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const recipientPublicKey = await kem.deserializePublicKey(
    bufferOf(asked.message.recipient.publicKey),
  );
  const info = bufferOf(readInfo(asked.digest));
  const sender = await suite.createSenderContext({ recipientPublicKey, info });
  const ciphertext = await sender.seal(bufferOf(injected), bufferOf(readAad(secretId, version)));
  return { encapsulatedKey: new Uint8Array(sender.enc), ciphertext: new Uint8Array(ciphertext) };
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
