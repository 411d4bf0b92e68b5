import { createHash, createHmac, randomBytes } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { createSigner, newSeed } from "@sallyport/client";
import { publicKeyOf, signCredential } from "@sallyport/evidence";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import {
  PermitClaimsSchema,
  PrincipalKind,
  type SignedRequest,
  SlipClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled } from "@sallyport/proto/signing";
import { describe } from "vitest";
import { signWith } from "../../system/signed.ts";
import { claimsOf } from "./cheat.ts";
import { type OpenAttack, type Stage, sealTo, testOpenAttacks } from "./stage.ts";

const ownKey = randomBytes(32);
const ownSeed = newSeed();

/** A gateway alters a part of what the machine signed. */
const altered: readonly (Pick<OpenAttack, "name" | "step" | "says"> & {
  readonly alter: (signed: SignedRequest) => Partial<SignedRequest>;
})[] = [
  { name: "method", step: "signature", says: "it does not hold", alter: () => ({ method: "PUT" }) },
  {
    name: "authority",
    step: "signature",
    says: "it does not hold",
    alter: () => ({ authority: "elsewhere.test" }),
  },
  {
    name: "path",
    step: "signature",
    says: "it does not hold",
    alter: ({ path }) => ({ path: path.replace("ReadSecrets", "ListReadableSecrets") }),
  },
  {
    name: "content type",
    step: "signature",
    says: "it does not hold",
    alter: () => ({ contentType: "application/json" }),
  },
  {
    name: "content digest",
    step: "signature",
    says: "it does not hold",
    alter: () => ({ contentDigest: `sha-256=:${createHash("sha256").digest("base64")}:` }),
  },
  {
    name: "created",
    step: "signature",
    says: "it does not hold",
    alter: ({ signatureInput }) => ({
      signatureInput: signatureInput.replace(
        /created=(\d+)/,
        (_, at: string) => `created=${Number(at) + 1}`,
      ),
    }),
  },
  {
    name: "nonce",
    step: "signature",
    says: "it does not hold",
    alter: ({ signatureInput }) => ({
      signatureInput: signatureInput.replace(
        /nonce="[^"]+"/,
        `nonce="${randomBytes(16).toString("base64url")}"`,
      ),
    }),
  },
  {
    name: "keyid",
    step: "binding",
    says: "the keyid is another one's",
    alter: ({ signatureInput }) => ({
      signatureInput: signatureInput.replace(/mch_.{20}/, `mch_${"0".repeat(20)}`),
    }),
  },
  {
    name: "tag",
    step: "signature",
    says: "the tag is not sallyport-v1",
    alter: ({ signatureInput }) => ({
      signatureInput: signatureInput.replace("sallyport-v1", "sallyport-v2"),
    }),
  },
  {
    name: "signature",
    step: "signature",
    says: "it does not hold",
    alter: () => ({ signature: `sp=:${randomBytes(64).toString("base64")}:` }),
  },
  {
    name: "body",
    step: "content-digest",
    says: "it is another body's",
    alter: ({ body }) => ({ body: Buffer.concat([body, Buffer.of(0)]) }),
  },
];

/** A gateway makes evidence itself; it knows every format, and has none of the keys. */
const made: readonly OpenAttack[] = [
  {
    name: "a request that it signed itself, in the machine's name",
    step: "signature",
    says: "it does not hold",
    cheat({ field }, { keyId }) {
      const authority = new URL(field.machine.url).host;
      const asked = { secretIds: field.granted, allOrNothing: true, recipient: sealTo };
      const { readSecrets } = ReadService.method;
      const own = signWith(createSigner(ownSeed, keyId), authority, readSecrets, asked);
      return { open: (item) => void Object.assign(item, { signedRequest: own.signedRequest }) };
    },
  },
  {
    name: "a credential for a key of its own, under the name of identity's key",
    step: "credential",
    says: "the signature does not hold",
    cheat: () => ({
      open(item) {
        const claims = { ...credentialClaimsOf(item), publicKey: publicKeyOf(ownSeed) };
        item.credential = signCredential(claims, {
          keyId: item.credential?.keyId ?? "",
          seed: ownSeed,
        });
      },
    }),
  },
  {
    name: "a credential under a key id that it made up",
    step: "credential",
    says: "the keyset does not have its key",
    cheat: () => ({
      open(item) {
        item.credential = signCredential(credentialClaimsOf(item), {
          keyId: "gateway-1",
          seed: ownSeed,
        });
      },
    }),
  },
  {
    name: "a credential whose vault it changed",
    step: "credential",
    says: "the signature does not hold",
    cheat: ({ field }) => ({
      open({ credential }) {
        const { vaultId } = field.machine;
        if (credential)
          credential.payload = replaced(credential.payload, vaultId, field.foreign.vaultId);
      },
    }),
  },
  {
    name: "a permit of its own",
    step: "permit",
    says: "the MAC does not hold",
    cheat: () => ({
      open({ permit }) {
        if (permit) permit.mac = macOf(LABELS.permit, permit.payload);
      },
    }),
  },
  {
    name: "a permit with one more secret",
    step: "permit",
    says: "the MAC does not hold",
    cheat: ({ field }) => ({
      open({ permit }) {
        if (!permit) return;
        const claims = fromBinary(PermitClaimsSchema, permit.payload);
        const [first] = claims.secrets;
        if (first) claims.secrets.push({ ...first, secretId: field.ids["OTHER"] ?? "" });
        permit.payload = toBinary(PermitClaimsSchema, claims);
      },
    }),
  },
  {
    name: "a permit under a key id that it made up",
    step: "permit",
    says: "its MAC key is unknown",
    cheat: () => ({
      open: ({ permit }) => void Object.assign(permit ?? {}, { keyId: "gateway-1" }),
    }),
  },
  {
    name: "a slip as a permit",
    step: "permit",
    says: "its MAC key is unknown",
    cheat: () => ({
      open(item) {
        Object.assign(item.permit ?? {}, {
          ...item.secrets[0]?.slip,
          $typeName: item.permit?.$typeName,
        });
      },
    }),
  },
  {
    name: "a slip of its own",
    step: "slip",
    says: "the MAC does not hold",
    cheat: () => ({
      open({ secrets: [first] }) {
        if (first?.slip) first.slip.mac = macOf(LABELS.slip, first.slip.payload);
      },
    }),
  },
  {
    name: "a slip whose version it changed",
    step: "slip",
    says: "the MAC does not hold",
    cheat: () => ({
      open({ secrets: [first] }) {
        if (!first?.slip) return;
        const claims = fromBinary(SlipClaimsSchema, first.slip.payload);
        first.slip.payload = toBinary(SlipClaimsSchema, { ...claims, version: claims.version + 1 });
      },
    }),
  },
];

/** The attacks that forge or alter what is signed, vouched for or sealed by others. */
export function describeForgery(stage: () => Stage): void {
  describe("altering what the machine signed", () => {
    testOpenAttacks(
      stage,
      altered.map(({ alter, ...attack }) => ({
        ...attack,
        cheat: () => ({
          open: ({ signedRequest }) =>
            void (signedRequest && Object.assign(signedRequest, alter(signedRequest))),
        }),
      })),
    );
  });
  describe("forging", () => {
    testOpenAttacks(stage, made);
  });
}

function credentialClaimsOf({ credential }: OpenItem) {
  if (!credential) throw new Error("there is no credential to forge");
  const claims = claimsOf(credential);
  return { ...claims, kind: PrincipalKind.MACHINE };
}

function macOf(label: string, payload: Uint8Array): Uint8Array {
  return createHmac("sha256", ownKey)
    .update(labelled(label, new Uint8Array(payload)))
    .digest();
}

function replaced(bytes: Uint8Array, text: string, other: string): Uint8Array {
  const from = Buffer.from(bytes).indexOf(text);
  if (from < 0 || text.length !== other.length) throw new Error("nothing to replace");
  const changed = Buffer.from(bytes);
  changed.write(other, from);
  return changed;
}
