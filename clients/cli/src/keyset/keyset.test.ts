import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSeed, verifyKeyset } from "@sallyport/client";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { rootFingerprint } from "@sallyport/proto/signing";
import { keysOfEveryUse } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesOf, keyOf, readKeyset } from "./files.ts";
import { renewKeyset } from "./renew.ts";
import { signSigner } from "./sign.ts";

const dayMs = 86_400_000;
const startMs = 1_800_000_000_000;
const root = newSeed();
const pinned = rootFingerprint(keyOf(root).publicKey);
const keys = keysOfEveryUse;

let scratch: string;
let dir: string;
let rootKeyFile: string;
let copy: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "sallyport-keyset-"));
  [dir, rootKeyFile, copy] = [
    join(scratch, "keyset"),
    join(scratch, "root.key"),
    join(scratch, "copy.bin"),
  ];
  writeRoot(root);
});
afterEach(() => rmSync(scratch, { recursive: true }));

function writeRoot(seed: Uint8Array): void {
  writeFileSync(rootKeyFile, `${Buffer.from(seed).toString("base64")}\n`, { mode: 0o600 });
}

const sign = (nowMs = startMs) => signSigner({ dir, rootKeyFile, days: 365, nowMs });
const renew = (nowMs = startMs, more = {}) => renewKeyset({ dir, days: 7, nowMs, ...more });
const trusted = async (nowMs: number, smallest = 1) =>
  verifyKeyset(await readKeyset(filesOf(dir).keyset), pinned, nowMs, smallest);

/** Every file there is, to show that a refusal changes none. */
function tree(): readonly (readonly [string, string])[] {
  return readdirSync(scratch, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, "base64")] as const);
}

describe("keyset sign and renew", () => {
  test("make a keyset that clients trust, without the root key from then on", async () => {
    const { minEpoch, maxEpoch } = await sign();
    rmSync(rootKeyFile);
    const renewed = await renew(startMs, { keys, copies: [copy] });
    expect(renewed).toMatchObject({
      epoch: minEpoch,
      rootFingerprint: pinned,
      notAfterMs: startMs + 7 * dayMs,
    });
    expect(maxEpoch).toBeGreaterThan(10_000);
    expect((await trusted(startMs)).preferred(KeyUse.REPLY).keyId).toBe(`key-${KeyUse.REPLY}`);
    expect(readFileSync(copy)).toEqual(readFileSync(filesOf(dir).keyset));
    expect(statSync(filesOf(dir).signer).mode & 0o777).toBe(0o600);
    expect(statSync(copy).mode & 0o777).toBe(0o644);
    for (let day = 1; day < 300; day += 50) {
      const { epoch } = await renew(startMs + day * dayMs);
      expect((await trusted(startMs + day * dayMs, epoch)).epoch).toBe(epoch);
    }
  });

  test("live through two years: a new signer goes on above every epoch of the one before", async () => {
    const first = await sign();
    await renew(startMs, { keys });
    const old = readFileSync(filesOf(dir).signer);
    for (let year = 1; year < 3; year += 1) {
      const nowMs = startMs + (year * 365 - 10) * dayMs;
      const { minEpoch } = await sign(nowMs);
      expect(minEpoch).toBeGreaterThan(first.maxEpoch);
      const { epoch } = await renew(nowMs);
      expect((await trusted(nowMs)).epoch).toBe(epoch);
    }
    // The stolen old signer can sign nothing that follows.
    writeFileSync(filesOf(dir).signer, old, { mode: 0o600 });
    const before = tree();
    await expect(renew(startMs + 100 * dayMs)).rejects.toThrow("an epoch never goes back");
    expect(tree()).toEqual(before);
  });

  test("the keyset ends with its signer, and after that nothing is signed", async () => {
    await sign();
    const { notAfterMs } = await renew(startMs + 362 * dayMs, { keys });
    expect(notAfterMs).toBe(startMs + 365 * dayMs);
    await expect(renew(startMs + 365 * dayMs)).rejects.toThrow("the signer is past its time");
  });

  test("a copy that is newer is never replaced", async () => {
    await sign();
    await renew(startMs, { keys });
    const old = tree();
    await renew(startMs, { copies: [copy] });
    await renew(startMs, { copies: [copy] });
    for (const [path, content] of old) writeFileSync(path, Buffer.from(content, "base64"));
    const { epoch } = await renew(startMs, { copies: [copy] });
    expect(epoch).toBe(4);
  });

  test("refuse another root, a missing signer, a first keyset without keys and a damaged file", async () => {
    await expect(renew()).rejects.toThrow('make one with "sallyport keyset sign"');
    await sign();
    await expect(renew()).rejects.toThrow("say which keys the first one has");
    await expect(renew(startMs, { keys: keys.slice(1) })).rejects.toThrow(
      "not as the contract says",
    );
    await renew(startMs, { keys });
    const before = tree();
    writeRoot(newSeed());
    await expect(sign()).rejects.toThrow("belongs to another root");
    rmSync(rootKeyFile);
    await expect(sign()).rejects.toThrow("there is no root key");
    writeRoot(root);
    expect(tree()).toEqual(before);
    for (const text of ["", "{", "[]", "null", '{"seed":"AAAA"}']) {
      writeFileSync(filesOf(dir).signer, text);
      await expect(renew(), text).rejects.toThrow(/is damaged|does not hold a key/);
    }
  });
});
