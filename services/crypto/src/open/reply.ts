import { createHash } from "node:crypto";
import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { type MacKey, signEd25519 } from "@sallyport/evidence";
import {
  type OpenedRequest,
  OpenedRequestSchema,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  ReplyClaimsSchema,
  type ReplySecretSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { LABELS, labelled } from "@sallyport/proto/signing";
import type { ReplySealer } from "../hpke.ts";
import type { Receipts } from "./record.ts";
import { type UnlockedSecret, openSecret } from "./unlock.ts";
import type { VerifiedRead } from "./verify.ts";

type Content = { readonly case: "value" | "ciphertext"; readonly value: Uint8Array<ArrayBuffer> };

type Answer = {
  readonly content: Content;
  readonly claim: MessageInitShape<typeof ReplySecretSchema>;
};

/**
 * The key that signs a reply, and what the claims say besides the outcomes: the epoch of the newest
 * keyset, so that a client with an older one fetches it, and the log's receipts by secret id.
 */
export type ReplySigning = {
  readonly key: MacKey;
  readonly keysetEpoch: number;
  readonly receipts: Receipts;
};

/**
 * Opens the secrets one after the other, seals them to the recipient, and signs what became of
 * every secret of the permit, the refused ones included, and where the next page begins. Call it
 * only after the read was recorded. Throws EvidenceError ("binding").
 */
export async function answerRead(
  read: VerifiedRead,
  secrets: readonly UnlockedSecret[],
  sealer: ReplySealer | undefined,
  signing: ReplySigning,
): Promise<OpenedRequest> {
  const answers = await answerSecrets(secrets, sealer);
  return create(OpenedRequestSchema, {
    secrets: [...answers].map(([secretId, { content }]) => ({ secretId, content })),
    encapsulatedKey: sealer?.encapsulatedKey ?? new Uint8Array(),
    reply: signReply(read, answers, signing),
  });
}

async function answerSecrets(
  secrets: readonly UnlockedSecret[],
  sealer: ReplySealer | undefined,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  try {
    for (const secret of secrets) answers.set(secret.secretId, await answerSecret(secret, sealer));
    return answers;
  } catch (error) {
    // Opened before another one failed.
    for (const { content } of answers.values()) content.value.fill(0);
    throw error;
  }
}

async function answerSecret(
  secret: UnlockedSecret,
  sealer: ReplySealer | undefined,
): Promise<Answer> {
  const { secretId, name, version } = secret;
  const { kind, plaintext } = await openSecret(secret);
  const claim = { secretId, name, version, kind };
  // Asked for in plaintext: it goes into the reply as it is, and lives until that is sent.
  if (!sealer) return answerOf({ case: "value", value: plaintext }, claim);
  try {
    return answerOf(
      { case: "ciphertext", value: await sealer.seal(secretId, version, plaintext) },
      claim,
    );
  } finally {
    plaintext.fill(0);
  }
}

function answerOf(content: Content, claim: Answer["claim"]): Answer {
  return {
    content,
    claim: { ...claim, contentSha256: createHash("sha256").update(content.value).digest() },
  };
}

function signReply(
  { requestDigest, permit }: VerifiedRead,
  answers: ReadonlyMap<string, Answer>,
  { key: { keyId, key }, keysetEpoch, receipts }: ReplySigning,
) {
  const secrets = permit.secrets.map(({ secretId, refusal }) => {
    const receipt = receipts.get(secretId);
    const claim = answers.get(secretId)?.claim;
    if (claim) return receipt ? { ...claim, receipt } : claim;
    return refusal ? { secretId, refusal } : { secretId };
  });
  const { nextPageToken } = permit;
  const claims = create(ReplyClaimsSchema, { requestDigest, secrets, nextPageToken, keysetEpoch });
  const payload = toBinary(ReplyClaimsSchema, claims);
  return { payload, keyId, signature: signEd25519(key, labelled(LABELS.reply, payload)) };
}
