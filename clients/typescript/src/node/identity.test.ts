import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Identity, loadIdentity, saveIdentity } from "./identity.ts";

const identity: Identity = {
  url: "https://localhost:8443",
  rootFingerprint: "f",
  vaultId: "v",
  principalId: "p",
  keyId: "k",
  kind: "machine",
  name: "runner",
  seed: Buffer.alloc(32, 7).toString("base64"),
  expiresAt: "2030-01-01T00:00:00.000Z",
};
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-identity-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("an identity is kept 0600 in a folder of 0700, with nothing left beside it", async () => {
  const path = join(dir, "new", "machine.json");
  await saveIdentity(path, identity);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, "new")).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(dir, "new"))).toEqual(["machine.json"]);
  expect(await loadIdentity(path)).toEqual(identity);
});

test("one that others may read, that is missing or not complete is refused with the next step", async () => {
  const path = join(dir, "loose.json");
  await saveIdentity(path, identity);
  chmodSync(path, 0o640);
  await expect(loadIdentity(path)).rejects.toThrow(/chmod 600/);
  await expect(loadIdentity(join(dir, "none.json"))).rejects.toMatchObject({
    reason: "IDENTITY_MISSING",
  });
  const broken = join(dir, "broken.json");
  const short = Buffer.alloc(31).toString("base64");
  const wrong: unknown[] = [
    { url: 1 },
    { ...identity, kind: "robot" },
    { ...identity, seed: short },
  ];
  for (const url of ["url", "", "http://localhost:8443", "localhost:8443"])
    wrong.push({ ...identity, url });
  for (const content of [
    ...wrong,
    { ...identity, expiresAt: "soon" },
    { ...identity, ca: 1 },
    null,
  ]) {
    writeFileSync(broken, JSON.stringify(content), { mode: 0o600 });
    await expect(loadIdentity(broken), JSON.stringify(content)).rejects.toMatchObject({
      reason: "IDENTITY_INVALID",
    });
  }
});
