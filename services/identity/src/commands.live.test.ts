import { execFile } from "node:child_process";
import { readFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publicKeyOf } from "@sallyport/evidence";
import { newId } from "@sallyport/proto/ids";
import { createServiceDatabase } from "@sallyport/test/infra";
import { readSettings, keyFile } from "@sallyport/config";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-identity-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function command(
  name: string,
  env: Record<string, string>,
  args: string[] = [],
): Promise<Record<string, unknown>> {
  const file = join(import.meta.dirname, name);
  const { stdout } = await run(process.execPath, [file, ...args], {
    env: { PATH: process.env["PATH"], ...env },
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("migrate.ts applies each migration once; bootstrap.ts makes the first vault once, and recovers one that there is", async () => {
  await using urls = await createServiceDatabase("identity");
  const ownerFile = join(dir, "owner.url");
  writeFileSync(ownerFile, urls.ownerUrl);
  const migrate = () => command("migrate.ts", { SALLYPORT_DATABASE_URL_FILE: ownerFile });
  const migrations = readdirSync(join(import.meta.dirname, "..", "migrations")).sort();
  expect(await migrate()).toEqual({ applied: migrations });
  expect(await migrate()).toEqual({ applied: [] });
  const args = ["--vault-name", "default", "--owner-key-sha256", "ab".repeat(32)];
  const bootstrap = (more: string[]) =>
    command("bootstrap.ts", { SALLYPORT_DATABASE_URL_FILE: ownerFile }, more);
  const first = await bootstrap(args);
  expect(first).toMatchObject({ created: true });
  expect(await bootstrap(args)).toEqual({ ...first, created: false });
  const recover = (vaultId: string) =>
    bootstrap(["--recover-vault", vaultId, "--owner-key-sha256", "cd".repeat(32)]);
  const recovered = await recover(String(first["vaultId"]));
  expect(recovered).toMatchObject({ vaultId: first["vaultId"], created: true });
  expect(recovered["codeId"]).not.toBe(first["codeId"]);
  const other = newId("vlt");
  await expect(recover(other)).rejects.toThrow(`there is no vault ${other}`);
}, 60_000);

test("bootstrap.ts says how it is used", async () => {
  const key = ["--owner-key-sha256", "ab".repeat(32)];
  const wrong = [
    ["--vault-name", "x"],
    key,
    ["--recover-vault", "default", ...key],
    ["--vault-name", "x", "--recover-vault", newId("vlt"), ...key],
  ];
  for (const args of wrong)
    await expect(command("bootstrap.ts", {}, args)).rejects.toThrow("usage: bootstrap.ts");
}, 60_000);

test("key-create.ts makes keys for their owner alone once, and prints the public halves", async () => {
  const files = ["credential.key", "answer.key"].map((name) => join(dir, name));
  const env = {
    SALLYPORT_CREDENTIAL_KEY_FILE: files[0] ?? "",
    SALLYPORT_ANSWER_KEY_FILE: files[1] ?? "",
  };
  const printed = await command("key-create.ts", env);
  const { credential, answer } = readSettings(env, {
    credential: keyFile("SALLYPORT_CREDENTIAL_KEY_FILE"),
    answer: keyFile("SALLYPORT_ANSWER_KEY_FILE"),
  });
  const published = ([entry]: typeof credential) => ({
    keyId: entry?.keyId,
    publicKey: Buffer.from(publicKeyOf(entry?.key ?? new Uint8Array())).toString("base64"),
  });
  expect(printed).toEqual({
    keys: [
      { ...published(credential), use: "CREDENTIAL" },
      { ...published(answer), use: "ANSWER", holder: "identity" },
    ],
  });
  for (const [entry] of [credential, answer]) expect(entry?.keyId).toMatch(/^[a-z0-9-]{1,64}$/);
  for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = files.map((file) => readFileSync(file, "utf8"));
  expect(await command("key-create.ts", env)).toEqual(printed);
  expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(before);
  writeFileSync(files[1] ?? "", "no key");
  await expect(command("key-create.ts", env)).rejects.toThrow(
    /SALLYPORT_ANSWER_KEY_FILE names a key file/,
  );
  expect(readFileSync(files[1] ?? "", "utf8")).toBe("no key");
}, 60_000);
