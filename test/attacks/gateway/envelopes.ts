import { randomBytes } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SlipClaimsSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { canaries } from "../field.ts";
import { type OpenAttack, type Stage, askFor, firstOf, testOpenAttacks } from "./stage.ts";

/** What secrets handed out is put elsewhere. */
const envelopes: readonly OpenAttack[] = [
  {
    name: "the envelopes of two secrets, exchanged",
    step: "slip",
    says: "it is about another envelope",
    cheat: () => ({
      open({ secrets: [one, other] }) {
        if (one && other) [one.envelope, other.envelope] = [other.envelope, one.envelope];
      },
    }),
  },
  {
    name: "a former version as the current one",
    asked: (field) => ({ secretIds: [firstOf(field)] }),
    step: "slip",
    says: "it answers for another version",
    cheat: () => ({ fetch: (item) => void (item.requestedVersion = 1) }),
  },
  {
    name: "a former version's envelope under the current one's slip",
    asked: (field) => ({ secretIds: [firstOf(field)] }),
    step: "slip",
    says: "it is about another envelope",
    async cheat({ field, cheat }, { digest }) {
      const former = await cheat.fetch({
        requestDigest: digest,
        vaultId: field.machine.vaultId,
        secretIds: [firstOf(field)],
        requestedVersion: 1,
      });
      return { open: (item) => void Object.assign(item.secrets[0] ?? {}, pick(former.secrets[0])) };
    },
  },
  {
    name: "another secret's envelope with its own slip",
    asked: (field) => ({ secretIds: [firstOf(field)] }),
    step: "slip",
    says: "it is missing",
    cheat: ({ field }) => ({ fetch: (item) => void (item.secretIds = [field.ids["OTHER"] ?? ""]) }),
  },
  {
    name: "an envelope too few",
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    cheat: () => ({ open: ({ secrets }) => void secrets.pop() }),
  },
  {
    name: "an envelope that nobody asked for",
    step: "slip",
    says: "there is not one envelope for every secret allowed",
    cheat: ({ field }) => ({
      fetch: (item) => void (item.secretIds = [...item.secretIds, field.ids["OTHER"] ?? ""]),
    }),
  },
  {
    name: "the project key of another vault",
    step: "binding",
    says: "an envelope or project key does not open where it is said to belong",
    async cheat({ field: { foreign }, cheat }, { digest }) {
      const { secrets } = await cheat.fetch({
        requestDigest: digest,
        vaultId: foreign.vaultId,
        secretIds: [foreign.secretId],
        requestedVersion: 0,
      });
      const projectKey = secrets[0]?.projectKey ?? new Uint8Array();
      return { open: ({ secrets: [first] }) => void Object.assign(first ?? {}, { projectKey }) };
    },
  },
  {
    name: "a permit that was given to another request",
    step: "permit",
    says: "it is for another request",
    cheat: async (stage) =>
      takingFrom(stage, (item, other) => Object.assign(item, { permit: other.permit })),
  },
  {
    name: "envelopes and slips that were given to another request",
    step: "slip",
    says: "it is for another request",
    cheat: async (stage) =>
      takingFrom(stage, (item, other) => Object.assign(item, { secrets: other.secrets })),
  },
];

function pick(fetched: { readonly envelope: Uint8Array } | undefined) {
  return { envelope: fetched?.envelope ?? new Uint8Array() };
}

async function takingFrom(
  { field, cheat }: Stage,
  take: (item: OpenItem, other: OpenItem) => unknown,
) {
  const other = askFor(field.machine, { secretIds: field.granted, allOrNothing: true });
  const prepared = await cheat.prepare(other, {}, newId("req"));
  return { open: (item: OpenItem) => void take(item, prepared.item) };
}

/** The attacks that put what secrets and policy gave where it does not belong. */
export function describeEnvelopes(stage: () => Stage): void {
  describe("exchanging envelopes, slips and permits", () => {
    testOpenAttacks(stage, envelopes);
  });

  test("what it gives: the names, and the envelopes, of every vault; none of them is a value", async () => {
    const { field, cheat } = stage();
    const { vaultId, secretId } = field.foreign;
    const requestDigest = randomBytes(32);
    const fetch = (from: string) =>
      cheat.fetch({ requestDigest, vaultId: from, secretIds: [secretId], requestedVersion: 0 });
    const [fetched] = (await fetch(vaultId)).secrets;
    const slip = fromBinary(SlipClaimsSchema, fetched?.slip?.payload ?? new Uint8Array());
    expect(slip.name).toBe("FOREIGN");
    expect(fetched?.envelope.length).toBeGreaterThan(canaries.FOREIGN.length);
    expect(Buffer.from(fetched?.envelope ?? []).includes(canaries.FOREIGN)).toBe(false);
    expect((await fetch(field.machine.vaultId)).secrets).toEqual([]);
  });
}
