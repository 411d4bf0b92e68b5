import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { sallyport } from "../testing/sallyport.ts";

vi.setConfig({ testTimeout: 30_000 });
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sallyport-completion-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const complete = (...words: string[]) => sallyport(["__complete", ...words], { HOME: home });

async function vaultNamed(vaultName: string): Promise<void> {
  const vaultId = await placeIdentity(home, { vaultName });
  await placeIdentity(home, { vaultName, vaultId, kind: "machine" });
}

describe("what a shell is told", () => {
  test("words, with what they are for the shells that show it, and nothing but words for bash", async () => {
    expect((await complete("bash", "vault", "")).out).toBe(
      "list\nuse\nshow\ncreate\nsealing\n:nothing\n",
    );
    expect((await complete("zsh", "vault", "u")).out).toBe(
      "use\tChoose the vault that commands use\n:nothing\n",
    );
    expect((await complete("fish", "get", "--output", "")).out).toBe(":files\n");
  });

  test("a name that a shell would take for more than a word is not offered", async () => {
    for (const name of [
      "harmless-1",
      "$(touch x)",
      "`id`",
      "a;b",
      "a b",
      "a'b",
      "--vault\nx",
      "--identity=x",
      "\u001b[2J",
    ])
      await vaultNamed(name);
    expect((await complete("bash", "vault", "use", "")).out).toBe("harmless-1\n:nothing\n");
  });

  test("nothing, and no word of why, when names cannot be had", async () => {
    expect(await complete("bash", "get", "")).toEqual({ code: 0, out: ":nothing\n", err: "" });
    await vaultNamed("there");
    const started = performance.now();
    expect(await complete("bash", "get", "")).toEqual({ code: 0, out: ":nothing\n", err: "" });
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});
