import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { loadIdentity } from "@sallyport/client";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  ReadSecretsResponseSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { describe, expect, test } from "vitest";
import { sendSigned, signAs } from "../signed.ts";
import { refusalOf } from "./contents.ts";
import type { Cli } from "./state.ts";

/**
 * vault sealing, secret sealing: what they do to a read that names no recipient key, and to those
 * of our clients.
 */
export function describeSealing(cli: () => Cli): void {
  /** The answer to a program that signs its own requests and asks for plaintext. */
  async function readUnsealed(...secretIds: string[]) {
    const identity = await loadIdentity(join(cli().vaultFolder(), "machine.json"));
    const signed = signAs(identity, ReadService.method.readSecrets, { secretIds });
    const { status, body } = await sendSigned(cli().deployment.endpoint, signed.signedRequest);
    if (status !== 200) return { status, text: body.toString("latin1") };
    const { secrets } = fromBinary(ReadSecretsResponseSchema, body);
    return {
      status,
      secrets: secrets.map(({ content, refusal }) => ({
        got: content.case,
        refusal: refusal?.reason,
      })),
    };
  }
  const idOf = async (name: string): Promise<string> => {
    const { secretId } = (await cli().home.json(["secret", "show", name, "--project", "web"])) as {
      secretId: string;
    };
    return secretId;
  };
  const open = { got: "value", refusal: undefined };
  const refused = { got: undefined, refusal: Reason.SEALING_REQUIRED };

  describe("sealing", () => {
    test("of a secret: an unsealed read of it is refused by itself, ours go on; off, it is read again", async () => {
      const [odd, binary] = [await idOf("ODD"), await idOf("BINARY")];
      expect(await readUnsealed(odd, binary)).toEqual({ status: 200, secrets: [open, open] });
      const setting = ["ODD", "on", "--project", "web"];
      expect(await cli().note("secret sealing", setting)).toMatchObject({
        secretId: odd,
        name: "ODD",
        required: true,
        vaultRequired: false,
      });
      expect(await readUnsealed(odd, binary)).toEqual({ status: 200, secrets: [refused, open] });
      const alone = await readUnsealed(odd);
      expect(alone.status).toBe(400);
      expect(alone.text).toMatch(/SEALING_REQUIRED/);
      expect((await cli().home.run(["get", "ODD"])).code).toBe(0);
      expect(await cli().note("vault sealing")).toMatchObject({
        required: false,
        createdAt: null,
        secrets: [{ secretId: odd, name: "ODD", project: "web", createdBy: { name: "ada" } }],
      });
      await cli().home.run(["secret", "sealing", "ODD", "off"]);
      expect(await readUnsealed(odd)).toEqual({ status: 200, secrets: [open] });
    });

    test("of the vault: no unsealed read gets anything, ours go on; both changes are on record", async () => {
      const ids = [await idOf("ODD"), await idOf("BINARY")];
      const on = await cli().home.run(["vault", "sealing", "on"]);
      expect(on.out).toMatch(/^every secret +read sealed only, since .*, by ada\n/);
      const unsealed = await readUnsealed(...ids);
      expect(unsealed.status).toBe(400);
      expect(unsealed.text).toMatch(/SEALING_REQUIRED/);
      expect((await cli().home.run(["get", "ODD"])).code).toBe(0);
      const off = await cli().home.run(["vault", "sealing", "off"]);
      expect(off.out).toMatch(/^every secret +may be read unsealed\n/);
      expect(await readUnsealed(...ids)).toEqual({ status: 200, secrets: [open, open] });
      const args = ["audit", "list", "--action", "vault.sealing_required"];
      const records = (await cli().home.json(args)) as { detail: { required: string } }[];
      expect(records.map(({ detail }) => detail.required).toSorted()).toEqual(["false", "true"]);
    });

    test("takes on and off, and nothing else", async () => {
      for (const args of [
        ["vault", "sealing", "maybe"],
        ["secret", "sealing", "ODD", "maybe"],
      ])
        expect(refusalOf(await cli().home.run(args))).toMatchObject({
          code: 2,
          said: 'sallyport: sealing is on or off, not "maybe" [USAGE]',
        });
    });
  });
}
