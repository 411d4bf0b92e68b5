import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newKey } from "@sallyport/proto/keyring";
import { type Case, projectId, first, second, expired, decided } from "./ground.ts";

/** Reads whose slips do not hold. */
export const slipCases: readonly Case[] = [
  {
    step: "slip",
    says: "it is missing",
    name: "missing",
    plan: { item: ({ secrets }) => void delete secrets[0]?.slip },
  },
  {
    step: "slip",
    says: "its MAC key is unknown",
    name: "under a key that we do not have",
    plan: { slipKeys: [{ keyId: "slip-2", key: newKey() }] },
  },
  {
    step: "slip",
    says: "the MAC does not hold",
    name: "forged",
    plan: { slipKeys: [{ keyId: "slip-1", key: newKey() }] },
  },
  { step: "slip", says: "it is expired", name: "expired", plan: { slip: { expiresAt: expired } } },
  {
    step: "slip",
    says: "it is for another request",
    name: "for another request",
    plan: { slip: { requestDigest: new Uint8Array(32) } },
  },
  {
    step: "slip",
    says: "it is about another envelope",
    name: "about another envelope",
    plan: { slip: { envelopeSha256: new Uint8Array(32) } },
  },
  {
    step: "slip",
    says: "it is about another envelope",
    name: "envelopes exchanged",
    plan: {
      item: ({ secrets: [a, b] }) =>
        void (a && b && ([a.envelope, b.envelope] = [b.envelope, a.envelope])),
    },
  },
  {
    step: "slip",
    says: "it answers for another version",
    name: "answers another selector",
    plan: { slip: { requestedVersion: 3 } },
  },
  {
    step: "slip",
    says: "it answers for another version",
    name: "another version than asked",
    plan: {
      asked: { version: 2 },
      permit: { secrets: [{ secretId: first.secretId, projectId, requestedVersion: 2 }] },
      slip: { requestedVersion: 2 },
    },
    stored: [first],
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "an envelope too few",
    plan: { item: ({ secrets }) => void secrets.pop() },
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "an envelope too many",
    plan: { item: ({ secrets }) => void secrets.push(...secrets.slice(0, 1)) },
  },
  {
    step: "slip",
    says: "it is missing",
    name: "one secret answered twice, another not",
    plan: { item: ({ secrets: [a, b] }) => void (a && b && Object.assign(b, a)) },
  },
  {
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    name: "for a secret that was refused",
    plan: {
      permit: {
        secrets: [
          ...decided({}).secrets.slice(0, 1),
          { secretId: second.secretId, refusal: { reason: Reason.NOT_GRANTED } },
        ],
      },
    },
  },
];
