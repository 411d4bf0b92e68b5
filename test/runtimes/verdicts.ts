import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type Recipient,
  ed25519,
  openReply,
  readAnswerHeader,
  verifyContent,
  verifyKeyset,
  verifyRefusal,
} from "@sallyport/client/core";
import {
  type Keyset,
  KeysetSchema,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  ReadSecretsRequestSchema,
  ReadSecretsResponseSchema,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import {
  FormatError,
  KeysetError,
  answerOwnerOf,
  baseOf,
  enrollmentStatement,
  equalBytes,
  labelled,
  loginStatement,
  normaliseAuthority,
  openKeysetAsync,
  parseSignature,
  parseSignatureInput,
  parseToken,
  readAad,
  readInfo,
  renewalStatement,
  rootFingerprint,
  sha256,
  writeInfo,
} from "@sallyport/proto/signing";
import {
  EvidenceError,
  createRequestVerifier,
  decodeMessage,
  violationIn,
} from "@sallyport/proto/verifying";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";

type Text =
  | "admittedPublicKey"
  | "admittingPublicKey"
  | "algorithm"
  | "answer"
  | "body"
  | "content"
  | "contentType"
  | "header"
  | "input"
  | "key"
  | "keyId"
  | "label"
  | "macKey"
  | "message"
  | "newPublicKey"
  | "oldPublicKey"
  | "params"
  | "path"
  | "payload"
  | "publicKey"
  | "reason"
  | "recipientPrivateKey"
  | "requestDigest"
  | "response"
  | "rootFingerprint"
  | "rootPublicKey"
  | "secretId"
  | "seed"
  | "signature"
  | "text"
  | "vaultId";

/** A vector, or a file of them: every field that one of them has. */
export type Vectors = Readonly<Record<Text, string>> & {
  readonly authorities: readonly string[];
  readonly components: readonly (readonly [name: string, value: string])[];
  readonly keyset: Vectors;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nowSeconds?: number;
  readonly renewalStatement: Vectors;
  readonly request: Omit<Parameters<Verifier["verifySignedRequest"]>[0], "body"> &
    Pick<Vectors, "body">;
  readonly secretIds: readonly string[];
  readonly signer?: Vectors;
  readonly smallestEpoch: number;
  readonly version: number;
  readonly windowSeconds: number;
};
type Verifier = ReturnType<typeof createRequestVerifier>;
type Judge = (vector: Vectors, file: Vectors) => string | Promise<string>;

const bytes = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const base64 = (found: Uint8Array) => btoa(String.fromCharCode(...found));
const unhex = (text: string) =>
  new Uint8Array((text.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)));
const hex = (found: Uint8Array) =>
  Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const judges: Readonly<Record<string, Readonly<Record<string, Judge>>>> = {
  answers: {
    methods: ({ path }) => answerOwnerOf(path) ?? "none",
    contentsValid: judgeContent,
    contentsInvalid: judgeContent,
    refusalsValid: judgeRefusal,
    refusalsInvalid: judgeRefusal,
  },
  authority: { cases: ({ input }) => normaliseAuthority(input) },
  bodies: { valid: judgeBody, invalid: judgeBody },
  ed25519: {
    cases: async ({ publicKey, message, signature }) =>
      (await ed25519.verify(unhex(publicKey), unhex(message), unhex(signature)))
        ? "valid"
        : "refused",
  },
  "headers-invalid": {
    signatureInput: ({ header }) => `read: ${parseSignatureInput(header).keyId}`,
    signature: ({ header }) => `read: ${hex(parseSignature(header))}`,
  },
  labels: {
    async signed({ label }, { payload, seed }) {
      const preimage = labelled(label, unhex(payload));
      const key = await ed25519.signingKey(bytes(seed));
      return `${hex(preimage)} ${base64(await key.sign(preimage))}`;
    },
    async authenticated({ label }, { payload, macKey }) {
      const preimage = labelled(label, unhex(payload));
      return `${hex(preimage)} ${base64(await hmac(bytes(macKey), preimage))}`;
    },
  },
  replies: {
    keysetsValid: judgeKeyset,
    keysetsInvalid: judgeKeyset,
    repliesValid: judgeReply,
    repliesInvalid: judgeReply,
  },
  "requests-valid": { requests: judgeRequest },
  "requests-invalid": { requests: judgeRequest },
  rfc9421: {
    async cases({ algorithm, key, components, params, signature }) {
      const base = baseOf(components, params);
      const holds =
        algorithm === "ed25519"
          ? await ed25519.verify(bytes(key), base, bytes(signature))
          : equalBytes(await hmac(bytes(key), base), bytes(signature));
      return holds ? new TextDecoder().decode(base) : "refused";
    },
  },
  sealing: {
    readInfo: ({ requestDigest }) => hex(readInfo(unhex(requestDigest))),
    readAad: ({ secretId, version }) => hex(readAad(secretId, version)),
    writeInfo: (vector) => hex(writeInfo(vector as object as Parameters<typeof writeInfo>[0])),
  },
  tokens: {
    rootFingerprint: (_, { rootPublicKey }) => rootFingerprint(bytes(rootPublicKey)),
    valid: judgeToken,
    invalid: judgeToken,
    enrollmentStatement: (vector) => judgeStatement(vector, enrollmentStatement),
    loginStatement: (vector) => judgeStatement(vector, loginStatement),
    async renewalStatement({ vaultId, oldPublicKey, newPublicKey, seed }) {
      const statement = renewalStatement(vaultId, bytes(oldPublicKey), bytes(newPublicKey));
      const key = await ed25519.signingKey(bytes(seed));
      return `${hex(statement)} ${base64(await key.sign(statement))}`;
    },
    async invalidRenewalProofs({ signature }, { renewalStatement: renewal }) {
      const { vaultId, oldPublicKey, newPublicKey } = renewal;
      const statement = renewalStatement(vaultId, bytes(oldPublicKey), bytes(newPublicKey));
      const holds = await ed25519.verify(bytes(newPublicKey), statement, bytes(signature));
      return holds ? "valid" : "refused";
    },
  },
};

/** The verdicts of the core on the vectors of one file, by file, list and index. */
export async function verdictsOf(file: string, content: Vectors): Promise<Record<string, string>> {
  const verdicts: Record<string, string> = {};
  for (const [list, judge] of Object.entries(judges[file] ?? {})) {
    const found: unknown = Reflect.get(content, list);
    const vectors = (Array.isArray(found) ? found : [found]) as readonly Vectors[];
    for (const [index, vector] of vectors.entries()) {
      const name = Array.isArray(found) ? `${file}/${list}/${index}` : `${file}/${list}`;
      verdicts[name] = await verdictOf(judge, vector, content);
    }
  }
  return verdicts;
}

async function verdictOf(judge: Judge, vector: Vectors, content: Vectors): Promise<string> {
  try {
    return await judge(vector, content);
  } catch (error) {
    if (error instanceof EvidenceError || error instanceof KeysetError)
      return `refused: ${error.step}`;
    if (error instanceof FormatError) return "refused";
    return error instanceof Error && error.name === "SallyportError" ? "refused" : String(error);
  }
}

function keysetOf({ payload, rootPublicKey, signature, signer }: Vectors): Keyset {
  return create(KeysetSchema, {
    payload: bytes(payload),
    rootPublicKey: bytes(rootPublicKey),
    signature: bytes(signature),
    ...(signer && {
      signer: { payload: bytes(signer.payload), signature: bytes(signer.signature) },
    }),
  });
}

function trust({ keyset, rootFingerprint: pinned, nowSeconds = 0, smallestEpoch }: Vectors) {
  return verifyKeyset(keysetOf(keyset), pinned, nowSeconds * 1000, smallestEpoch);
}

async function judgeKeyset(vector: Vectors, file: Vectors): Promise<string> {
  const { rootFingerprint: pinned, nowSeconds = 0, smallestEpoch } = file;
  const nowMs = nowSeconds * 1000;
  await openKeysetAsync(keysetOf(vector), pinned, nowMs, smallestEpoch, ed25519.verify);
  return "valid";
}

function askedOf(path: string, { requestDigest }: Vectors) {
  const owner = answerOwnerOf(path);
  if (!owner || owner === "itself") throw new Error("no owner answers that");
  return { owner, requestDigest: unhex(requestDigest) };
}

async function judgeContent({ path, header, content }: Vectors, file: Vectors): Promise<string> {
  const asked = askedOf(path, file);
  const signed = readAnswerHeader(header === "" ? null : header, asked);
  await verifyContent(signed, bytes(content), asked, await trust(file));
  return "valid";
}

async function judgeRefusal(vector: Vectors, file: Vectors): Promise<string> {
  const { path, answer, reason, metadata } = vector;
  const signed = answer === "" ? undefined : fromBinary(SignedAnswerSchema, bytes(answer));
  const told = { reason, metadata };
  const vouched = await verifyRefusal(signed, told, askedOf(path, file), await trust(file));
  return vouched ? "vouched" : "the gateway's";
}

async function judgeReply(vector: Vectors, file: Vectors): Promise<string> {
  const { secretIds, version, response } = vector;
  const asked = { secretIds, version, requestDigest: unhex(file.requestDigest) };
  const reply = fromBinary(ReadSecretsResponseSchema, bytes(response));
  const recipient = recipientOf(bytes(file.recipientPrivateKey));
  const opened = await openReply(reply, asked, await trust(file), recipient);
  const values = opened.results.flatMap((result) =>
    result.kind === "value"
      ? [`${result.secretId} ${result.name} ${result.version} ${base64(result.plaintext)}`]
      : [],
  );
  return [...values, opened.nextPageToken].join("\n");
}

function recipientOf(privateKey: Uint8Array<ArrayBuffer>): Recipient {
  return {
    publicKey: new Uint8Array(32),
    async open(encapsulatedKey, digest) {
      const context = await suite.createRecipientContext({
        recipientKey: await suite.kem.deserializePrivateKey(privateKey.buffer),
        enc: new Uint8Array(encapsulatedKey).buffer,
        info: readInfo(digest).buffer,
      });
      return async (secretId, version, ciphertext) =>
        new Uint8Array(
          await context.open(new Uint8Array(ciphertext).buffer, readAad(secretId, version).buffer),
        );
    },
  };
}

// The steps before a signature are judged without one, those behind it as if it held: then it
// decides.
async function judgeRequest(vector: Vectors, file: Vectors): Promise<string> {
  const { publicKey, keyId, request, nowSeconds = file.nowSeconds ?? 0 } = vector;
  let signed: Parameters<typeof ed25519.verify> | undefined;
  const verifier = createRequestVerifier((...parameters) => {
    signed = parameters;
    return true;
  });
  const { body, ...head } = request;
  const judge = () =>
    verifier.verifySignedRequest(
      { ...head, body: bytes(body) },
      {
        publicKey: bytes(publicKey),
        keyId,
        authorities: file.authorities,
        nowMs: nowSeconds * 1000,
        windowSeconds: file.windowSeconds,
      },
    );
  const verdict = await verdictOf(() => hex(judge().digest), vector, file);
  return signed === undefined || (await ed25519.verify(...signed)) ? verdict : "refused: signature";
}

function judgeBody({ contentType, body }: Vectors): string {
  const message = decodeMessage(ReadSecretsRequestSchema, {
    contentType,
    body: bytes(body),
  });
  return violationIn(ReadSecretsRequestSchema, message)
    ? "refused: field"
    : message.secretIds.join(" ");
}

async function judgeToken({ text }: Vectors): Promise<string> {
  const { kind, id, vaultId, rootFingerprint: pinned, seed } = parseToken(text);
  const { publicKey } = await ed25519.signingKey(seed);
  return [kind, id, vaultId, pinned, base64(seed), hex(sha256(publicKey))].join(" ");
}

async function judgeStatement(
  { vaultId, admittingPublicKey, admittedPublicKey, seed }: Vectors,
  statementOf: typeof enrollmentStatement,
): Promise<string> {
  const statement = statementOf(vaultId, bytes(admittingPublicKey), bytes(admittedPublicKey));
  const key = await ed25519.signingKey(bytes(seed));
  return `${hex(statement)} ${base64(await key.sign(statement))}`;
}

async function hmac(
  key: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}
