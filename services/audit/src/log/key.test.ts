import { publicKeyOf } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { pickLogKey } from "./key.ts";

const [older, newer] = [1, 2].map((fill) => ({
  keyId: `log-${fill}`,
  key: new Uint8Array(32).fill(fill),
}));
if (!older || !newer) throw new Error("no keys");

/** A keyset that names these log keys, the preferred one first, and a reply key of each id. */
function keysetOf(...named: readonly { readonly keyId: string; readonly publicKey: Uint8Array }[]) {
  return {
    publicKey: (use: KeyUse, keyId: string) =>
      use === KeyUse.LOG ? named.find((key) => key.keyId === keyId)?.publicKey : undefined,
    preferred: (use: KeyUse) => (use === KeyUse.LOG ? named[0] : undefined),
  };
}

const named = ({ keyId, key }: typeof newer) => ({ keyId, publicKey: publicKeyOf(key) });

test("the preferred key signs where the file has it, else the newest that is named", () => {
  const both = [newer, older];
  expect(pickLogKey(both, keysetOf(named(older), named(newer)))).toBe(older);
  expect(pickLogKey(both, keysetOf(named(newer), named(older)))).toBe(newer);
  expect(pickLogKey([older], keysetOf(named(newer), named(older)))).toBe(older);
});

test.each([
  ["no log key of the file", keysetOf(named(newer))],
  ["its id with another public key", keysetOf({ ...named(newer), keyId: older.keyId })],
  ["no log key at all", keysetOf()],
])("a keyset that names %s is refused, with what to do", (_, keyset) => {
  expect(() => pickLogKey([older], keyset)).toThrow(
    /^SALLYPORT_LOG_KEY_FILE holds no log key of the keyset \(it holds log-1\): /,
  );
});
