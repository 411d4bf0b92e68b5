import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { newSeed, openSallyport, toSallyportError } from "@sallyport/client";
import { publicKeyOf, signEd25519 } from "@sallyport/evidence";
import {
  type Keyset,
  type KeysetClaims,
  KeysetClaimsSchema,
  KeyUse,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { GetKeysetResponseSchema, ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { LABELS, labelled } from "@sallyport/proto/signing";
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

function resigned(keyset: Keyset, seed: Uint8Array, change: (claims: KeysetClaims) => void): Partial<Keyset> {
  const claims = fromBinary(KeysetClaimsSchema, keyset.payload);
  change(claims);
  const payload = toBinary(KeysetClaimsSchema, create(KeysetClaimsSchema, claims));
  return { payload, signature: signEd25519(seed, labelled(LABELS.keyset, payload)) };
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
    lie: (keyset) => ({ ...resigned(keyset, ownSeed, ownKeys), rootPublicKey: publicKeyOf(ownSeed) }),
  },
  {
    name: "its own keys, signed by itself in the root's name",
    reason: "REPLY_UNTRUSTED",
    says: "the keyset's signature does not hold",
    lie: (keyset) => resigned(keyset, ownSeed, ownKeys),
  },
  {
    name: "its own keys under the root's old signature",
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
        writer.createSecret({ projectId, projectName: "web", name, plaintext: Buffer.from("kept back") });
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
    const rootSeed = () => {
      const file = join(stage().field.system.layout.root, "root.key");
      return Buffer.from(readFileSync(file, "utf8"), "base64");
    };
    const serving = (change: (claims: KeysetClaims) => void) => {
      front().reply = altering(GetKeysetResponseSchema, keysetPath, ({ keyset }) => {
        if (keyset) Object.assign(keyset, resigned(keyset, rootSeed(), change));
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

    test("older than one already seen", async () => {
      const reader = openSallyport(stage().field.machine);
      serving((claims) => (claims.epoch += 5));
      expect((await reader.checkDeployment()).epoch).toBeGreaterThan(5);
      front().reply = (_, message) => message;
      await expect(reader.checkDeployment()).rejects.toThrow("the keyset is older than one already seen");
      reader.close();
    });
  });
}
