import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "@sallyport/proto/ids";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { type Choice, chooseIdentity } from "./choose.ts";
import {
  configFolder,
  identityFile,
  localVaults,
  readCurrentVault,
  writeCurrentVault,
} from "./folder.ts";

let home: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sallyport-vaults-"));
  env = { HOME: home };
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const choose = (change: Partial<Choice> = {}, ...kinds: ("user" | "machine")[]) =>
  chooseIdentity(
    { env, identity: undefined, vault: undefined, ...change },
    kinds.length > 0 ? kinds : ["user"],
  );

describe("the identity that is used", () => {
  test("is of the only vault that has one, without any choice", async () => {
    const vaultId = await placeIdentity(home);
    await placeIdentity(home, { kind: "machine" });
    expect(await choose()).toMatchObject({ vaultId, kind: "user" });
  });

  test("is of the vault that was chosen, by id or name, for a command, a shell or permanently", async () => {
    const one = await placeIdentity(home, { vaultName: "one" });
    const two = await placeIdentity(home, { vaultName: "two" });
    await expect(choose()).rejects.toMatchObject({ reason: "VAULT_UNCLEAR" });
    expect(await choose({ vault: "two" })).toMatchObject({ vaultId: two });
    expect(await choose({ vault: one })).toMatchObject({ vaultId: one });
    expect(await choose({ env: { ...env, SALLYPORT_VAULT: "one" } })).toMatchObject({
      vaultId: one,
    });
    expect(await choose({ env: { ...env, SALLYPORT_VAULT: "one" }, vault: "two" })).toMatchObject({
      vaultId: two,
    });
    await writeCurrentVault(env, two);
    expect(await choose()).toMatchObject({ vaultId: two });
    expect(await choose({ vault: "one" })).toMatchObject({ vaultId: one });
  });

  test("is the one of a path, before any vault; with another vault named it is none", async () => {
    const one = await placeIdentity(home, { vaultName: "one" });
    const two = await placeIdentity(home, { vaultName: "two" });
    await writeCurrentVault(env, one);
    const path = identityFile(env, two, "user");
    expect(await choose({ identity: path })).toMatchObject({ vaultId: two });
    expect(await choose({ env: { ...env, SALLYPORT_IDENTITY: path } })).toMatchObject({
      vaultId: two,
    });
    expect(await choose({ identity: path, vault: "two" })).toMatchObject({ vaultId: two });
    await expect(choose({ identity: path, vault: "one" })).rejects.toMatchObject({
      reason: "IDENTITY_UNFIT",
    });
    await expect(choose({ env: { ...env, SALLYPORT_VAULT: one }, identity: path })).rejects.toThrow(
      /not of vlt_/,
    );
  });

  test("is not guessed: two of one name, none of the kind, none at all, one that has ended", async () => {
    await expect(choose()).rejects.toThrow(/no user's identity/);
    const first = await placeIdentity(home, { vaultName: "same" });
    await placeIdentity(home, { vaultName: "same" });
    await expect(choose({ vault: "same" })).rejects.toMatchObject({ reason: "VAULT_UNCLEAR" });
    await expect(choose({ vault: "other" })).rejects.toMatchObject({ reason: "VAULT_UNKNOWN" });
    await expect(choose({ vault: first }, "machine")).rejects.toThrow(
      /no machine's identity of same/,
    );
    const ended = await placeIdentity(home, { expiresAt: "2020-01-01T00:00:00.000Z" });
    await expect(choose({ vault: ended })).rejects.toMatchObject({ reason: "IDENTITY_EXPIRED" });
  });

  test("of a person reads nothing: that says who reads, and how to become it", async () => {
    const vaultId = await placeIdentity(home, { vaultName: "default" });
    for (const change of [
      {},
      { vault: "default" },
      { identity: identityFile(env, vaultId, "user") },
    ])
      await expect(choose(change, "machine")).rejects.toMatchObject({
        reason: "IDENTITY_UNFIT",
        next: expect.stringMatching(
          /people do not read values, machines do: .*token create.*enroll/,
        ) as string,
      });
  });

  test("that ended by a clock which may be wrong is left to the server", async () => {
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    const recent = await placeIdentity(home, { expiresAt: minutesAgo(14) });
    expect(await choose({ vault: recent })).toMatchObject({ vaultId: recent });
    const past = await placeIdentity(home, { expiresAt: minutesAgo(16) });
    await expect(choose({ vault: past })).rejects.toMatchObject({ reason: "IDENTITY_EXPIRED" });
  });
});

describe("the folder of identities", () => {
  test("is XDG_CONFIG_HOME's, else ~/.config", () => {
    expect(configFolder({ HOME: "/h", XDG_CONFIG_HOME: "/x" })).toBe("/x/sallyport");
    expect(configFolder({ HOME: "/h", XDG_CONFIG_HOME: "" })).toBe("/h/.config/sallyport");
  });

  test("holds vaults and nothing else that is read", async () => {
    const vaultId = await placeIdentity(home);
    mkdirSync(join(configFolder(env), "notes"), { mode: 0o755 });
    mkdirSync(join(configFolder(env), newId("vlt")), { mode: 0o700 });
    expect((await localVaults(env)).map((vault) => vault.vaultId)).toEqual([vaultId]);
    await writeCurrentVault(env, "../../etc");
    expect(await readCurrentVault(env)).toBeUndefined();
  });

  test("is not read through a link to another's", async () => {
    const vaultId = await placeIdentity(home);
    const elsewhere = join(home, "elsewhere");
    renameSync(join(configFolder(env), vaultId), elsewhere);
    symlinkSync(elsewhere, join(configFolder(env), vaultId));
    await expect(localVaults(env)).rejects.toThrow(/symbolic link/);
  });
});
