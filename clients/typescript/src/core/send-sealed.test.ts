import type { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { describe, expect, test } from "vitest";
import type { TrustedKeys } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";
import { sendSealed } from "./send-sealed.ts";

const keysOf = (keyId: string): TrustedKeys => ({
  epoch: 1,
  notAfterMs: 0,
  signerNotAfterMs: 0,
  key: () => new Uint8Array(),
  has: () => true,
  answerKey: () => undefined,
  preferred: (_use: KeyUse) => ({ keyId, publicKey: new Uint8Array(32) }),
});

/** Sends to a server that opens what is sealed to one key alone, or refuses for something else. */
async function sendTo(inUse: string, newest: string, refusal?: SallyportError) {
  const sent: string[] = [];
  const keeper = {
    current: () => Promise.resolve(keysOf("sealing-1")),
    fetch: () => Promise.resolve(keysOf(newest)),
  };
  const seal = (keys: TrustedKeys) => Promise.resolve(keys.preferred(2).keyId);
  const outcome = await sendSealed(keeper, seal, async (value) => {
    sent.push(value);
    if (refusal) throw refusal;
    if (value !== inUse)
      throw new SallyportError("FIELD_INVALID", "x", { metadata: { field: "value" } });
    return "stored";
  }).catch((error: unknown) => error);
  return { sent, outcome };
}

describe("a value that is sealed and sent", () => {
  test("is sent once while its key is in use", async () => {
    expect(await sendTo("sealing-1", "sealing-1")).toEqual({
      sent: ["sealing-1"],
      outcome: "stored",
    });
  });

  test("is sealed to the newer key when the one before is retired", async () => {
    expect(await sendTo("sealing-2", "sealing-2")).toEqual({
      sent: ["sealing-1", "sealing-2"],
      outcome: "stored",
    });
  });

  test("is not sent again when there is no newer key, or when it was refused for something else", async () => {
    const { sent, outcome } = await sendTo("sealing-9", "sealing-1");
    expect([sent.length, outcome]).toMatchObject([1, { reason: "FIELD_INVALID" }]);
    const other = new SallyportError("FIELD_INVALID", "x", { metadata: { field: "name" } });
    expect(await sendTo("sealing-2", "sealing-2", other)).toEqual({
      sent: ["sealing-1"],
      outcome: other,
    });
  });
});
