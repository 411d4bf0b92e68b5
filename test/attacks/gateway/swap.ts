import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { OpenItem } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { contentDigest } from "@sallyport/proto/signing";
import { describe, expect, test } from "vitest";
import { type Field, canaries } from "../field.ts";
import type { ReadCheat } from "./cheat.ts";
import { type OpenAttack, type Stage, askFor, firstOf, sealTo, testOpenAttacks } from "./stage.ts";

/** The body is another one than the machine signed. */
function rewriting(
  name: string,
  change: Readonly<Record<string, unknown>>,
  { coverTracks = false } = {},
): OpenAttack {
  return {
    name: coverTracks ? `${name}, with a digest that fits` : name,
    step: coverTracks ? "signature" : "content-digest",
    says: coverTracks ? "it does not hold" : "it is another body's",
    cheat: ({ field }) => ({
      open({ signedRequest }) {
        if (!signedRequest) return;
        const asked = {
          secretIds: field.granted,
          allOrNothing: true,
          recipient: sealTo,
          ...change,
        };
        signedRequest.body = toBinary(
          ReadSecretsRequestSchema,
          create(ReadSecretsRequestSchema, asked),
        );
        if (coverTracks) signedRequest.contentDigest = contentDigest(signedRequest.body);
      },
    }),
  };
}

const ownRecipient = { recipient: { ...sealTo, publicKey: randomBytes(32) } };

const bodies: readonly OpenAttack[] = [
  rewriting("its own recipient key", ownRecipient),
  rewriting("its own recipient key", ownRecipient, { coverTracks: true }),
  rewriting("no recipient key, so that the reply comes in plaintext", { recipient: undefined }),
  rewriting("everything granted instead of two", { secretIds: [], allGranted: true }),
  rewriting("all_or_nothing stripped", { allOrNothing: false }),
];

/** Policy is asked about something else than the machine signed. */
const decisions: readonly OpenAttack[] = [
  {
    name: "an id dropped",
    step: "body",
    says: "it asks for other secrets",
    cheat: () => ({ authorize: (item) => void item.secretIds.pop() }),
  },
  {
    name: "an id added",
    asked: (field) => ({ secretIds: [firstOf(field)] }),
    step: "body",
    says: "it asks for other secrets",
    cheat: ({ field }) => ({ authorize: (item) => void (item.secretIds = [...field.granted]) }),
  },
  {
    name: "an id exchanged for another granted one",
    asked: (field) => ({ secretIds: [firstOf(field)] }),
    step: "body",
    says: "it asks for other secrets",
    cheat: ({ field }) => ({ authorize: (item) => void (item.secretIds = field.granted.slice(1)) }),
  },
  {
    name: "everything granted, where two were named",
    step: "body",
    says: "it asks for another target",
    cheat: () => ({
      authorize: (item) => void Object.assign(item, { secretIds: [], allGranted: true }),
    }),
  },
  {
    name: "a later page, so that the first secrets seem not to be there",
    asked: () => ({ allGranted: true }),
    step: "body",
    says: "it asks for another page",
    cheat: ({ field }) => ({
      authorize: (item) => void (item.pageToken = [...field.granted].sort()[0] ?? ""),
    }),
  },
  {
    name: "a project, where everything granted was asked for",
    asked: () => ({ allGranted: true }),
    step: "body",
    says: "it asks for another target",
    cheat: ({ field }) => ({
      authorize: (item) =>
        void Object.assign(item, { allGranted: false, projectId: field.projectId }),
    }),
  },
  {
    name: "a permit for another machine, which may read what this one may not",
    step: "permit",
    says: "it is for another machine",
    cheat: ({ field }) => ({
      authorize: (item) =>
        void Object.assign(item, {
          machineId: field.neighbour.principalId,
          secretIds: [field.ids["OTHER"]],
        }),
    }),
  },
  {
    name: "a permit of another vault's machine, with that vault's envelope",
    step: "permit",
    says: "it is for another machine",
    cheat: ({ field: { foreign } }) => ({
      authorize: (item) =>
        void Object.assign(item, {
          vaultId: foreign.vaultId,
          machineId: foreign.machine.principalId,
          secretIds: [foreign.secretId],
        }),
    }),
  },
  {
    name: "the credential of another machine",
    step: "binding",
    says: "the keyid is another one's",
    async cheat({ field, cheat }) {
      const credential = await cheat.credentialOf(field.neighbour.keyId);
      return { open: (item) => void (item.credential = credential) };
    },
  },
  {
    name: "the credential of the vault's owner",
    step: "credential",
    says: "it is not a machine's",
    async cheat({ field, cheat }) {
      const credential = await cheat.credentialOf(field.owner.keyId);
      return { open: (item) => void (item.credential = credential) };
    },
  },
  {
    name: "the digest of another request",
    step: "binding",
    says: "the item names another request",
    cheat: () => ({ open: (item) => void (item.requestDigest = randomBytes(32)) }),
  },
];

/** The attacks that put true evidence where it does not belong. */
export function describeSwaps(stage: () => Stage): void {
  describe("rewriting the body", () => {
    testOpenAttacks(stage, bodies);
  });
  describe("asking policy about something else", () => {
    testOpenAttacks(stage, decisions);
  });

  test("stripping all_or_nothing: what is allowed of it does not come out alone", async () => {
    const { field, cheat } = stage();
    const [first, other] = [firstOf(field), field.ids["OTHER"] ?? ""];
    const signed = askFor(field.machine, { secretIds: [first, other], allOrNothing: true });
    const refused = await cheat.read(signed, {
      authorize: (item) => void (item.allOrNothing = false),
    });
    expect(refused.verdict).toBe("EVIDENCE_INVALID body");
    const said = await field.ledger.refusalsOf("crypto", refused.requestId);
    expect(said).toContain("body: it asks for all or nothing, and not all is allowed");
    const onRecord = await field.ledger.of(signed.digest);
    expect(onRecord).toMatchObject([
      { emitter: "policy", action: "secret.read.denied", reason: "NOT_GRANTED", secret_id: other },
    ]);
    const unbound = askFor(field.machine, { secretIds: [first, other], allOrNothing: false });
    const { opened } = await cheat.read(unbound);
    expect(opened?.secrets.map(({ secretId }) => secretId)).toEqual([first]);
  });

  test("what it gives: an unsealed reply, to a machine that asked for one", async () => {
    const { field, cheat } = stage();
    const ask = (recipient: typeof sealTo | undefined) =>
      cheat.read(askFor(field.machine, { secretIds: [firstOf(field)], recipient }));
    const contentOf = async (reading: ReturnType<typeof ask>) =>
      (await reading).opened?.secrets[0]?.content;
    const value = Buffer.from(canaries.DB_URL);
    expect(await contentOf(ask(undefined))).toEqual({
      case: "value",
      value: new Uint8Array(value),
    });
    const sealed = await contentOf(ask(sealTo));
    expect(sealed?.case).toBe("ciphertext");
    expect(Buffer.from(sealed?.value ?? []).includes(value)).toBe(false);
  });

  describe("where unsealed reads are forbidden", () => {
    const lie: ReadCheat = { authorize: (item) => void (item.sealed = true) };
    const places = [
      {
        name: "of the vault",
        set: ({ admin }: Field, required: boolean) =>
          admin.services.sealing.setVaultSealing({ required }),
      },
      {
        name: "of one secret",
        set: (field: Field, required: boolean) =>
          field.admin.services.sealing.setSecretSealing({ secretId: firstOf(field), required }),
      },
    ];
    test.each(places)("$name, saying that the request is sealed gives nothing", async ({ set }) => {
      const { field, cheat } = stage();
      const ask = (recipient?: typeof sealTo) =>
        askFor(field.machine, { secretIds: field.granted, recipient });
      await set(field, true);
      try {
        const unsealed = ask();
        const refused = await cheat.read(unsealed, lie);
        expect(refused.verdict).toBe("EVIDENCE_INVALID permit");
        const said = await field.ledger.refusalsOf("crypto", refused.requestId);
        expect(said).toContain(
          "permit: it allows only a sealed reply, and the request names no recipient",
        );
        expect(await field.ledger.of(unsealed.digest)).toEqual([]);
        expect((await cheat.read(ask(sealTo))).verdict).toBe("opened");
      } finally {
        await set(field, false);
      }
      expect((await cheat.read(ask(), lie)).verdict).toBe("opened");
    });
  });

  test("mixing principals in a batch: each item stands by its own evidence, and results keep to their digests", async () => {
    const { field, cheat } = stage();
    const requestId = newId("req");
    const ask = async (identity: typeof field.machine, secretIds: string[]) => {
      const signed = askFor(identity, { secretIds, allOrNothing: true });
      return { signed, ...(await cheat.prepare(signed, {}, requestId)) };
    };
    const mine = await ask(field.machine, field.granted);
    const theirs = await ask(field.neighbour, [field.ids["OTHER"] ?? ""]);
    const mixed = [
      { ...mine.item, permit: theirs.item.permit },
      { ...mine.item, secrets: theirs.item.secrets },
      { ...theirs.item, signedRequest: mine.item.signedRequest },
      { ...theirs.item, credential: mine.item.credential },
    ].map((item) => item as OpenItem);
    const outcomes = await cheat.openAll([...mixed, mine.item, theirs.item], requestId);
    expect(outcomes.map(({ verdict }) => verdict)).toEqual([
      "EVIDENCE_INVALID permit",
      "EVIDENCE_INVALID slip",
      "EVIDENCE_INVALID binding",
      "EVIDENCE_INVALID binding",
      "opened",
      "opened",
    ]);
    const idsOf = (index: number) =>
      outcomes[index]?.opened?.secrets.map(({ secretId }) => secretId);
    expect(idsOf(4)).toEqual(field.granted);
    expect(idsOf(5)).toEqual([field.ids["OTHER"]]);
    expect((await field.ledger.of(mine.signed.digest)).map(({ machine_id }) => machine_id)).toEqual(
      field.granted.map(() => field.machine.principalId),
    );
  });
}
