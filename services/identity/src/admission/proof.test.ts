import { createHash } from "node:crypto";
import { publicKeyOf } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { newKey, prove } from "../testing/signing.ts";
import { type Claim, judgeProof } from "./proof.ts";

const [token, machine, other] = [newKey(), newKey(), newKey()];
const vaultId = "vlt_0123456789abcdefghjk";
const hashOf = (key: Uint8Array) => createHash("sha256").update(key).digest();
const known = { keySha256: hashOf(token.publicKey) };
const claim: Claim = {
  kind: "machine",
  signerKey: machine.publicKey,
  vaultId,
  admittingKey: token.publicKey,
  proof: prove("machine", vaultId, token, machine),
  admittedKey: machine.publicKey,
};

test.each(["machine", "device"] as const)("a %s's proof by the token's key holds", (kind) => {
  const proof = prove(kind, vaultId, token, machine);
  expect(judgeProof({ ...claim, kind, proof }, known)).toBeUndefined();
});

test.each<[string, Partial<Claim>, typeof known | undefined, string]>([
  ["no signer", { signerKey: undefined }, known, "signer"],
  ["another signer than the admitted key", { signerKey: other.publicKey }, known, "signer"],
  ["an unknown token", {}, undefined, "token"],
  ["another key than the token's", {}, { keySha256: hashOf(other.publicKey) }, "token"],
  ["a proof for another vault", { vaultId: "vlt_zzzzzzzzzzzzzzzzzzzz" }, known, "proof"],
  ["a proof of another kind", { kind: "device" }, known, "proof"],
  ["a proof for another key", { proof: prove("machine", vaultId, token, other) }, known, "proof"],
  ["a proof by another key", { proof: prove("machine", vaultId, other, machine) }, known, "proof"],
  ["an empty proof", { proof: new Uint8Array(64) }, known, "proof"],
])("%s is REQUEST_REJECTED", (_, change, given, step) => {
  expect(judgeProof({ ...claim, ...change }, given)).toEqual({
    reason: Reason.REQUEST_REJECTED,
    step,
  });
});

test("a signer is judged before the token, so that a stolen proof is of no use", () => {
  const change = { signerKey: publicKeyOf(other.seed), admittingKey: other.publicKey };
  expect(judgeProof({ ...claim, ...change }, undefined)?.step).toBe("signer");
});
