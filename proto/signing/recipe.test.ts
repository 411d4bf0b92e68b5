import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contentDigest, parseSignature, parseSignatureInput, signatureBase } from "./index.ts";

const specification = readFileSync(new URL("../SIGNING.md", import.meta.url), "utf8");
const recipe = /```sh\n([^`]+)```/.exec(specification)?.[1] ?? "";
const seedToKey =
  /`(\{ printf '.+ \| openssl pkey -inform DER) -out token\.pem`/.exec(specification)?.[1] ?? "";
const shells = ["dash", "bash", "busybox sh"].filter(exists);
const keyId = "mch_0123456789abcdefghjk";
let dir = "";

function exists(shell: string): boolean {
  const [program = "", ...rest] = shell.split(" ");
  try {
    execFileSync(program, [...rest, "-c", "openssl version | grep -q '^OpenSSL 3'"], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

function run(shell: string, script: string): string {
  const [program = "", ...rest] = shell.split(" ");
  return execFileSync(program, [...rest, "-eu", "-c", script], { cwd: dir, encoding: "utf8" });
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-recipe-"));
});

afterAll(() => rmSync(dir, { recursive: true }));

test.skipIf(shells.length === 0)("SIGNING §12.1 signs what §4 says, in every shell found", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  writeFileSync(join(dir, "key.pem"), privateKey.export({ format: "pem", type: "pkcs8" }), {
    mode: 0o600,
  });
  for (const shell of shells) {
    // In place of curl, print each argument on a line.
    const lines = run(shell, `keyid=${keyId}\ncurl() { printf '%s\\n' "$@"; }\n${recipe}`).split(
      "\n",
    );
    const header = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
    const { signatureParams } = parseSignatureInput(header("signature-input"));
    const base = signatureBase({
      method: "POST",
      authority: "localhost:8443",
      path: "/sallyport.gateway.v1.ReadService/ReadSecrets",
      contentType: header("content-type"),
      contentDigest: contentDigest(readFileSync(join(dir, "body"))),
      signatureParams,
    });
    expect(verify(null, base, publicKey, parseSignature(header("signature"))), shell).toBe(true);
  }
});

test.skipIf(shells.length === 0)("SIGNING §12.1 makes a key of a token's seed", () => {
  const seed = Buffer.from(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "hex",
  );
  writeFileSync(join(dir, "seed"), seed, { mode: 0o600 });
  for (const shell of shells) {
    const publicKey = createPublicKey(run(shell, seedToKey)).export({
      format: "der",
      type: "spki",
    });
    expect(publicKey.subarray(-32).toString("hex"), shell).toBe(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
  }
});
