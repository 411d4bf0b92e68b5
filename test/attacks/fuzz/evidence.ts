import { createHash, createHmac, randomBytes } from "node:crypto";
import {
  type DescMessage,
  create,
  equals,
  fromBinary,
  fromJson,
  toBinary,
} from "@bufbuild/protobuf";
import { SallyportError, readAnswerHeader, verifyContent, verifyKeyset } from "@sallyport/client";
import {
  EvidenceError,
  loadTrust,
  openCredential,
  openPermit,
  openSlip,
  publicKeyOf,
  signEd25519,
} from "@sallyport/evidence";
import {
  AnswerClaimsSchema,
  CredentialClaimsSchema,
  CredentialSchema,
  KeyUse,
  KeysetClaimsSchema,
  KeysetSchema,
  PermitClaimsSchema,
  PermitSchema,
  PrincipalKind,
  SignedAnswerSchema,
  SlipClaimsSchema,
  SlipSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  FormatError,
  KeysetError,
  LABELS,
  answerOwners,
  answerPreimage,
  labelled,
  rootFingerprint,
  signKeysetSigner,
} from "@sallyport/proto/signing";
import { type FuzzTarget, type Random, corpusOf, randomJson } from "@sallyport/test/infra";

const nowMs = Date.parse("2026-01-01T00:00:00Z") - 5_000;
const macKey = { keyId: "k1", key: randomBytes(32) };
const seed = randomBytes(32);
const rootPublicKey = publicKeyOf(seed);
const fingerprint = rootFingerprint(rootPublicKey);
const publicKey = rootPublicKey;
const keys = [
  ...[KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG].map((use) => ({
    keyId: "k1",
    use,
    publicKey,
  })),
  ...answerOwners.map((holder) => ({ keyId: holder, use: KeyUse.ANSWER, holder, publicKey })),
];
// The root vouches for itself: what is fuzzed is behind the signatures.
const signer = signKeysetSigner(
  { publicKey: rootPublicKey, sign: (message) => signEd25519(seed, message) },
  {
    keyId: "signer-1",
    publicKey: rootPublicKey,
    notBefore: { seconds: 0n },
    notAfter: { seconds: 4_000_000_000n },
    minEpoch: 1,
    maxEpoch: 2 ** 32 - 1,
  },
);
const goodKeyset = toBinary(
  KeysetClaimsSchema,
  create(KeysetClaimsSchema, { epoch: 1, notAfter: { seconds: 4_000_000_000n }, keys }),
);

const id = "0123456789abcdefghjk";
const expiresAt = { seconds: BigInt(nowMs / 1000 + 5), nanos: 0 };
const digest = randomBytes(32);
const vaultId = `vlt_${id}`;
const secretId = `sec_${id}`;
const goodPermit = create(PermitClaimsSchema, {
  machineId: `mch_${id}`,
  vaultId,
  requestDigest: digest,
  secrets: [{ secretId }],
  decisionId: `dec_${id}`,
  policyVersion: 1,
  expiresAt,
});
const goodSlip = create(SlipClaimsSchema, {
  vaultId,
  projectId: `prj_${id}`,
  secretId,
  name: "DB_URL",
  version: 1,
  envelopeSha256: digest,
  requestDigest: digest,
  expiresAt,
});
const goodCredential = create(CredentialClaimsSchema, {
  principalId: `mch_${id}`,
  kind: PrincipalKind.MACHINE,
  vaultId,
  publicKey: rootPublicKey,
  keyId: `mch_${id}`,
  issuedAt: { seconds: BigInt(nowMs / 1000), nanos: 0 },
  expiresAt,
  serial: randomBytes(16),
});

function macOf(label: string, payload: Uint8Array): Uint8Array {
  return createHmac("sha256", macKey.key).update(labelled(label, payload)).digest();
}

type Opened = Parameters<typeof toBinary>[1] | undefined;

/** A target whose input is a payload that somebody vouches for, as whoever stole the key could. */
function claimsTarget(
  name: string,
  schema: DescMessage,
  open: (payload: Uint8Array<ArrayBuffer>) => Opened | Promise<Opened>,
  more: readonly Uint8Array[] = [],
): FuzzTarget {
  return {
    name,
    seeds: [...corpusOf("evidence"), ...more],
    generate: (random: Random) => encoded(schema, random),
    async accepts(input) {
      let claims: Opened;
      try {
        claims = await open(new Uint8Array(input));
      } catch (error) {
        if (isRefusal(error)) return false;
        throw error;
      }
      if (claims && !equals(schema, fromBinary(schema, toBinary(schema, claims)), claims))
        throw new Error("written again it is another message");
      return true;
    },
  };
}

function isRefusal(error: unknown): boolean {
  const typed = [EvidenceError, FormatError, KeysetError, SallyportError];
  if (typed.some((type) => error instanceof type)) return true;
  // An envelope that is no message stops a process with a sentence for the operator.
  return (
    error instanceof Error && error.constructor === Error && /^the keyset\b/.test(error.message)
  );
}

function encoded(schema: DescMessage, random: Random): Uint8Array {
  try {
    return toBinary(schema, fromJson(schema, randomJson(schema, random)));
  } catch {
    return new Uint8Array(); // What is out of every bound has no binary form.
  }
}

function signedKeyset(payload: Uint8Array<ArrayBuffer>) {
  const signature = signEd25519(seed, labelled(LABELS.keyset, payload));
  return create(KeysetSchema, { payload, rootPublicKey, signature, signer });
}

const trust = { publicKey: () => rootPublicKey, notAfterMs: Number.MAX_SAFE_INTEGER };

const goodAnswer = create(AnswerClaimsSchema, {
  requestDigest: digest,
  outcome: {
    case: "contentSha256",
    value: new Uint8Array(createHash("sha256").update(digest).digest()),
  },
  keysetEpoch: 1,
});
const verifiedKeys = await verifyKeyset(signedKeyset(goodKeyset), fingerprint, nowMs);

/** What travels with a request, vouched for: the decoding behind the MAC or signature. */
export const evidenceTargets: readonly FuzzTarget[] = [
  claimsTarget(
    "permit",
    PermitClaimsSchema,
    (payload) =>
      openPermit(
        create(PermitSchema, { payload, keyId: "k1", mac: macOf(LABELS.permit, payload) }),
        [macKey],
        nowMs,
      ),
    [toBinary(PermitClaimsSchema, goodPermit)],
  ),
  claimsTarget(
    "slip",
    SlipClaimsSchema,
    (payload) =>
      openSlip(
        create(SlipSchema, { payload, keyId: "k1", mac: macOf(LABELS.slip, payload) }),
        [macKey],
        nowMs,
      ),
    [toBinary(SlipClaimsSchema, goodSlip)],
  ),
  claimsTarget(
    "credential",
    CredentialClaimsSchema,
    (payload) =>
      openCredential(
        create(CredentialSchema, {
          payload,
          keyId: "k1",
          signature: signEd25519(seed, labelled(LABELS.credential, payload)),
        }),
        trust,
        nowMs,
      ),
    [toBinary(CredentialClaimsSchema, goodCredential)],
  ),
  claimsTarget(
    "keyset, as a service loads it",
    KeysetClaimsSchema,
    (payload) => {
      loadTrust(toBinary(KeysetSchema, signedKeyset(payload)), fingerprint, nowMs);
      return fromBinary(KeysetClaimsSchema, payload);
    },
    [goodKeyset],
  ),
  claimsTarget(
    "keyset, as a client verifies it",
    KeysetClaimsSchema,
    async (payload) => {
      await verifyKeyset(signedKeyset(payload), fingerprint, nowMs);
      return fromBinary(KeysetClaimsSchema, payload);
    },
    [goodKeyset],
  ),
  claimsTarget(
    "answer, as a client verifies it",
    AnswerClaimsSchema,
    async (payload) => {
      const signature = signEd25519(seed, answerPreimage(payload));
      const signed = toBinary(
        SignedAnswerSchema,
        create(SignedAnswerSchema, { payload, keyId: "policy", signature }),
      );
      const header = Buffer.from(signed).toString("base64url");
      const asked = { owner: "policy", requestDigest: digest } as const;
      await verifyContent(readAnswerHeader(header, asked), digest, asked, verifiedKeys);
      return fromBinary(AnswerClaimsSchema, payload);
    },
    [toBinary(AnswerClaimsSchema, goodAnswer)],
  ),
  {
    name: "answer, its header",
    seeds: [
      ...corpusOf("evidence"),
      toBinary(SignedAnswerSchema, create(SignedAnswerSchema, { keyId: "policy" })),
    ],
    generate: (random: Random) => encoded(SignedAnswerSchema, random),
    accepts(input) {
      const header = Buffer.from(input).toString("base64url");
      try {
        return readAnswerHeader(header, { owner: "policy", requestDigest: digest }) !== undefined;
      } catch (error) {
        if (isRefusal(error)) return false;
        throw error;
      }
    },
  },
  claimsTarget(
    "keyset, its envelope",
    KeysetSchema,
    (bytes) => loadTrust(bytes, fingerprint, nowMs).keyset,
    [toBinary(KeysetSchema, signedKeyset(goodKeyset))],
  ),
];
