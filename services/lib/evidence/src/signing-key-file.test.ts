import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeyFile } from "@sallyport/config";
import { afterEach, beforeEach, expect, test } from "vitest";
import { publicKeyOf } from "./ed25519.ts";
import { type SigningKeyFile, keptOrNewSigningKeys } from "./signing-key-file.ts";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "sallyport-signing-key-"))));
afterEach(() => rmSync(dir, { recursive: true }));

test.each<[string, Pick<SigningKeyFile, "use"> & { holder?: "policy" }, RegExp]>([
  ["a credential key", { use: "CREDENTIAL" }, /^credential-/],
  ["an answer key", { use: "ANSWER", holder: "policy" }, /^answer-policy-/],
])("%s is made once for its owner alone, and its public half told", (_, published, keyId) => {
  const file = join(dir, "signing.key");
  const asked = { variable: "SALLYPORT_KEY_FILE", file, ...published } as SigningKeyFile;
  const made = keptOrNewSigningKeys(asked);
  const [kept] = readKeyFile("SALLYPORT_KEY_FILE", file);
  if (!kept) throw new Error("no key was written");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(kept.keyId).toMatch(keyId);
  const publicKey = Buffer.from(publicKeyOf(kept.key)).toString("base64");
  expect(made).toEqual([{ keyId: kept.keyId, ...published, publicKey }]);
  expect(keptOrNewSigningKeys(asked)).toEqual(made);
});
