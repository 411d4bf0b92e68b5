import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { newId } from "@sallyport/proto/ids";
import { newKey } from "@sallyport/proto/keyring";
import { nowMs } from "../deployment.ts";
import { type Case, keyring, expired, decided } from "./ground.ts";

/** Reads whose permit does not hold. */
export const permitCases: readonly Case[] = [
  {
    step: "permit",
    says: "it is missing",
    name: "missing",
    plan: { item: (item) => delete item.permit },
  },
  {
    step: "permit",
    says: "its MAC key is unknown",
    name: "under a key that we do not have",
    plan: { permitKeys: [{ keyId: "permit-2", key: newKey() }] },
  },
  {
    step: "permit",
    says: "the MAC does not hold",
    name: "forged",
    plan: { permitKeys: [{ keyId: "permit-1", key: newKey() }] },
  },
  {
    step: "permit",
    says: "the MAC does not hold",
    name: "made with the slip key",
    plan: { permitKeys: keyring.slip.map(({ key }) => ({ keyId: "permit-1", key })) },
  },
  {
    step: "permit",
    says: "it is expired",
    name: "expired",
    plan: { permit: { expiresAt: expired } },
  },
  {
    step: "permit",
    says: "it lives longer than it may",
    name: "lives too long",
    plan: { permit: { expiresAt: timestampFromMs(nowMs + 60_000) } },
  },
  {
    step: "permit",
    says: "it is for another request",
    name: "for another request",
    plan: { permit: { requestDigest: new Uint8Array(32) } },
  },
  {
    step: "permit",
    says: "it is for another machine",
    name: "for another machine",
    plan: { permit: { machineId: newId("mch") } },
  },
  {
    step: "permit",
    says: "it names a secret twice",
    name: "a secret twice",
    plan: {
      asked: { secretIds: [], allGranted: true },
      permit: { secrets: [...decided({}).secrets, ...decided({}).secrets] },
    },
  },
  {
    step: "permit",
    says: "it allows only a sealed reply, and the request names no recipient",
    name: "sealed only, and no recipient",
    plan: { permit: { sealedOnly: true } },
  },
];
