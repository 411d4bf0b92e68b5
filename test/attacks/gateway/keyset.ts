import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  loadIdentity,
  newSeed,
  openSallyport,
  saveIdentity,
  toSallyportError,
} from "@sallyport/client";
import { publicKeyOf, signEd25519 } from "@sallyport/evidence";
import {
  type Keyset,
  type KeysetClaims,
  KeysetClaimsSchema,
  type KeysetSigner,
  KeyUse,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  GetKeysetResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled, signKeysetSigner } from "@sallyport/proto/signing";
import { keysetKeyOf } from "@sallyport/test/infra";
import { describe, expect, test } from "vitest";
import type { Front } from "./front.ts";
import { altering } from "./replies.ts";
import type { Stage } from "./stage.ts";

const ownSeed = newSeed();
const keysetPath = `/${ReadService.typeName}/${ReadService.method.getKeyset.name}`;

/** Puts keys of the gateway's own where crypto's were. */
function ownKeys({ keys }: KeysetClaims): void {
  for (const key of keys) if (key.use !== KeyUse.LOG) key.publicKey = publicKeyOf(ownSeed);
}

function resigned(
  keyset: Keyset,
  seed: Uint8Array,
  change: (claims: KeysetClaims) => void,
): Partial<Keyset> {
  const claims = fromBinary(KeysetClaimsSchema, keyset.payload);
  change(claims);
  const payload = toBinary(KeysetClaimsSchema, create(KeysetClaimsSchema, claims));
  return { payload, signature: signEd25519(seed, labelled(LABELS.keyset, payload)) };
}

/** The gateway as root and signer in one. */
function ownSigner(): KeysetSigner {
  const own = keysetKeyOf(ownSeed);
  return signKeysetSigner(own, {
    keyId: "signer-1",
    publicKey: own.publicKey,
    notBefore: timestampFromMs(0),
    notAfter: timestampFromMs(Date.now() + 86_400_000),
    minEpoch: 1,
    maxEpoch: 2 ** 32 - 1,
  });
}

const lies: readonly {
  readonly name: string;
  readonly reason: string;
  readonly says: string;
  readonly lie: (keyset: Keyset) => Partial<Keyset>;
}[] = [
  {
    name: "its own keys under its own root",
    reason: "ROOT_CHANGED",
    says: "not the one that was pinned",
    lie: (keyset) => ({
      ...resigned(keyset, ownSeed, ownKeys),
      rootPublicKey: publicKeyOf(ownSeed),
      signer: ownSigner(),
    }),
  },
  {
    name: "its own keys, signed by itself in the signer's name",
    reason: "REPLY_UNTRUSTED",
    says: "the keyset's signature does not hold",
    lie: (keyset) => resigned(keyset, ownSeed, ownKeys),
  },
  {
    name: "its own keys by a signer of its own",
    reason: "REPLY_UNTRUSTED",
    says: "the root's signature over the keyset's signer does not hold",
    lie: (keyset) => ({ ...resigned(keyset, ownSeed, ownKeys), signer: ownSigner() }),
  },
  {
    name: "its own keys under the signer's old signature",
    reason: "REPLY_UNTRUSTED",
    says: "the keyset's signature does not hold",
    lie: (keyset) => ({ payload: resigned(keyset, ownSeed, ownKeys).payload ?? new Uint8Array() }),
  },
];

/** The attacks that hand out a false keyset, on a read and on a write. */
export function describeKeysets(stage: () => Stage, front: () => Front): void {
  describe.each(lies)("a false keyset: $name", ({ lie, reason, says }) => {
    const lying = () =>
      altering(GetKeysetResponseSchema, keysetPath, ({ keyset }) => {
        if (keyset) Object.assign(keyset, lie(keyset));
      });

    test("no value is sent, and no reply is believed", async () => {
      const { field } = stage();
      const [writer, reader] = [openSallyport(field.owner), openSallyport(field.machine)];
      const { projectId } = field;
      const write = (name: string) =>
        writer.createSecret({
          projectId,
          projectName: "web",
          name,
          plaintext: Buffer.from("kept back"),
        });
      front().reply = lying();
      front().seen.length = 0;
      for (const call of [() => write("UNSENT"), () => reader.read({ secretIds: field.granted })]) {
        const refused = await call().then(() => undefined, toSallyportError);
        expect(refused?.reason).toBe(reason);
        expect(refused?.message).toContain(says);
      }
      // Neither request was even made: there is nothing that could be on record.
      expect(new Set(front().seen.map(({ path }) => path))).toEqual(new Set([keysetPath]));
      front().reply = (_, message) => message;
      expect((await write(`SENT_${Date.now()}`)).currentVersion).toBe(1);
      expect(await reader.read({ secretIds: field.granted })).toHaveLength(2);
      for (const client of [writer, reader]) client.close();
    });
  });

  describe("a keyset that was true once", () => {
    const signerSeed = () => {
      const file = join(stage().field.system.layout.keyset, "signer.json");
      const { seed } = JSON.parse(readFileSync(file, "utf8")) as { seed: string };
      return Buffer.from(seed, "base64");
    };
    const serving = (change: (claims: KeysetClaims) => void) => {
      front().reply = altering(GetKeysetResponseSchema, keysetPath, ({ keyset }) => {
        if (keyset) Object.assign(keyset, resigned(keyset, signerSeed(), change));
      });
    };

    test("past its time", async () => {
      const reader = openSallyport(stage().field.machine);
      serving((claims) => (claims.notAfter = timestampFromMs(Date.now() - 1_000)));
      await expect(reader.checkDeployment()).rejects.toThrow("the keyset is past its time");
      serving((claims) => (claims.notAfter = timestampFromMs(Date.now() + 60_000)));
      expect((await reader.checkDeployment()).epoch).toBeGreaterThan(0);
      front().reply = (_, message) => message;
      reader.close();
    });

    test("to a new process, which remembers by the identity file that there is a newer one", async () => {
      const file = join(mkdtempSync(join(tmpdir(), "sallyport-epoch-")), "machine.json");
      await saveIdentity(file, stage().field.machine);
      serving((claims) => (claims.epoch += 5));
      const first = openSallyport(await loadIdentity(file));
      const { epoch } = await first.checkDeployment();
      first.close();
      front().reply = (_, message) => message;
      const next = openSallyport(await loadIdentity(file));
      const refused = "the keyset is older than one already seen";
      await expect(next.checkDeployment()).rejects.toThrow(refused);
      await expect(next.read({ secretIds: stage().field.granted })).rejects.toThrow(refused);
      expect((await loadIdentity(file)).keysetEpoch).toBe(epoch);
      next.close();
      rmSync(dirname(file), { recursive: true });
    });

    test("is remembered from the enrollment and the login on", () => {
      for (const { keysetEpoch } of [stage().field.machine, stage().field.owner])
        expect(keysetEpoch).toBeGreaterThan(0);
    });

    test("older than one already seen", async () => {
      const reader = openSallyport(stage().field.machine);
      serving((claims) => (claims.epoch += 5));
      expect((await reader.checkDeployment()).epoch).toBeGreaterThan(5);
      front().reply = (_, message) => message;
      await expect(reader.checkDeployment()).rejects.toThrow(
        "the keyset is older than one already seen",
      );
      reader.close();
    });
  });
}
