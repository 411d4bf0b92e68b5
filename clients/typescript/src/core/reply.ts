import { equals } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  ReasonSchema,
  type Refusal,
  RefusalSchema,
} from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  KeyUse,
  type ReplyClaims,
  type ReplySecret,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type {
  ReadSecretsResponse,
  SecretResult,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { LABELS, equalBytes, labelled, sha256 } from "@sallyport/proto/signing";
import { decodeReplyClaims } from "./claims.ts";
import { ed25519 } from "./ed25519.ts";
import type { TrustedKeys } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";
import type { Recipient } from "./seal.ts";

/** The result of a read for one secret. */
export type ReadResult = {
  readonly secretId: string;
  readonly projectId: string;
} & (
  | {
      readonly kind: "value";
      readonly name: string;
      readonly version: number;
      readonly valueKind: ValueKind;
      readonly plaintext: Uint8Array;
    }
  | ({ readonly kind: "refused" } & RefusedRead)
);

/** The refusal of one secret, as crypto signed it. */
export type RefusedRead = {
  /** A PublicReason, or a reason of a newer server. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Delay before a retry, in milliseconds; undefined when a retry is pointless. */
  readonly retryAfterMs: number | undefined;
  /** The caller's next step in one line; empty when there is none. */
  readonly nextStep: string;
};

/** The request that a reply must answer. */
export type Asked = {
  readonly secretIds: readonly string[];
  readonly version: number;
  readonly requestDigest: Uint8Array;
};

/**
 * The contents of one signed reply: the results and the next page token (empty on the last page).
 */
export type OpenedReply = {
  readonly results: readonly ReadResult[];
  readonly nextPageToken: string;
  /** The epoch of the newest keyset that crypto named; 0 when it named none. */
  readonly keysetEpoch: number;
};

function distrust(what: string): never {
  throw new SallyportError("REPLY_UNTRUSTED", `the reply cannot be trusted: ${what}`);
}

/**
 * Verifies crypto's signature, that it answers exactly this request, and that every result is the
 * signed one; then opens the values, which must be sealed where a recipient is given. An empty
 * reply is signed like any other. Throws REPLY_UNTRUSTED before any value is returned.
 */
export async function openReply(
  response: ReadSecretsResponse,
  asked: Asked,
  keys: TrustedKeys,
  recipient: Recipient | undefined,
): Promise<OpenedReply> {
  if (!response.reply) return distrust("it is not signed");
  const {
    secrets: claims,
    nextPageToken,
    keysetEpoch,
  } = await verifiedClaims(response.reply, asked, keys);
  if (response.nextPageToken !== nextPageToken)
    distrust("the next page is not the one that was signed");
  const results = new Map(response.secrets.map((secret) => [secret.secretId, secret]));
  if (results.size !== claims.length || results.size !== response.secrets.length)
    distrust("secrets were added or left out");
  for (const id of asked.secretIds)
    if (!claims.some(({ secretId }) => secretId === id)) distrust(`${id} is missing`);
  const opened = claims.some(({ refusal }) => refusal === undefined);
  const open =
    opened && recipient
      ? await recipient
          .open(response.encapsulatedKey, asked.requestDigest)
          .catch(() => distrust("it is not sealed to this client"))
      : undefined;
  const read: ReadResult[] = [];
  for (const claim of claims) {
    const result = results.get(claim.secretId);
    if (!result) return distrust(`${claim.secretId} is missing`);
    read.push(await readOne(claim, result, asked, open));
  }
  return { results: read, nextPageToken, keysetEpoch };
}

async function verifiedClaims(
  reply: NonNullable<ReadSecretsResponse["reply"]>,
  asked: Asked,
  keys: TrustedKeys,
): Promise<ReplyClaims> {
  const publicKey = keys.key(KeyUse.REPLY, reply.keyId);
  const signed = labelled(LABELS.reply, reply.payload);
  if (!(await ed25519.verify(publicKey, signed, reply.signature)))
    distrust("the signature does not hold");
  const claims = decodeReplyClaims(reply.payload);
  const { requestDigest, secrets } = claims;
  if (!equalBytes(requestDigest, asked.requestDigest)) distrust("it answers another request");
  if (asked.secretIds.length > 0 && secrets.length !== asked.secretIds.length)
    distrust("it answers for other secrets");
  return claims;
}

async function readOne(
  claim: ReplySecret,
  result: SecretResult,
  asked: Asked,
  open: Awaited<ReturnType<Recipient["open"]>> | undefined,
): Promise<ReadResult> {
  const { secretId, projectId } = result;
  if (!agrees(result, claim)) distrust(`${secretId} is not described as it was signed`);
  if (claim.refusal) return { kind: "refused", secretId, projectId, ...refusedRead(claim.refusal) };
  if (result.content.case !== (open ? "ciphertext" : "value"))
    return distrust(`${secretId} is ${open ? "not sealed" : "sealed, and nobody asked for that"}`);
  if (!equalBytes(sha256(result.content.value), claim.contentSha256))
    distrust(`${secretId} is not what was signed`);
  if (asked.version !== 0 && claim.version !== asked.version)
    distrust(`${secretId} has another version than asked`);
  const plaintext = open
    ? await open(secretId, claim.version, result.content.value).catch(() =>
        distrust(`${secretId} does not open`),
      )
    : result.content.value;
  return {
    kind: "value",
    secretId,
    projectId,
    name: claim.name,
    version: claim.version,
    valueKind: claim.kind,
    plaintext,
  };
}

function refusedRead({ reason, metadata, retryAfter, nextStep }: Refusal): RefusedRead {
  return {
    reason: enumName(ReasonSchema, reason),
    metadata,
    retryAfterMs: retryAfter && durationMs(retryAfter),
    nextStep,
  };
}

// The fields beside the signed claims prove nothing and must not differ from them (SIGNING §9.1).
function agrees(result: SecretResult, claim: ReplySecret): boolean {
  const same =
    result.name === claim.name && result.version === claim.version && result.kind === claim.kind;
  if (!claim.refusal || !result.refusal) return same && result.refusal === claim.refusal;
  const refused = equals(RefusalSchema, result.refusal, claim.refusal);
  return same && refused && result.content.case === undefined;
}
