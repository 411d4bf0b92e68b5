import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "@sallyport/client/error";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingOf, withPendingKey } from "./pending.ts";

let dir: string;
let path: string;
let seeds: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-pending-"));
  path = join(dir, "machine.json");
  seeds = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const pending = (): string => `${path}.pending`;
const attempt = (tokenId: string, result: () => unknown, keep = async (made: unknown) => made) =>
  withPendingKey(path, tokenId, {
    async ask(seed) {
      seeds.push(Buffer.from(seed).toString("hex"));
      expect(statSync(pending()).mode & 0o777).toBe(0o600);
      return result();
    },
    keep,
  });
const fail = (reason: "UNREACHABLE" | "INTERNAL" | "TOKEN_REVOKED") => (): never => {
  throw new SallyportError(reason, "x");
};

test("a key is in a file before anything is asked, and gone once the identity is kept", async () => {
  expect(await attempt("tok_a", () => "done")).toBe("done");
  expect(existsSync(pending())).toBe(false);
});

test("what may have been heard is asked again with the same key; another token has its own", async () => {
  await expect(attempt("tok_a", fail("UNREACHABLE"))).rejects.toThrow();
  await expect(attempt("tok_a", fail("INTERNAL"))).rejects.toThrow();
  await expect(attempt("tok_b", fail("UNREACHABLE"))).rejects.toThrow();
  const [first, second, third] = seeds;
  expect(second).toBe(first);
  expect(third).not.toBe(first);
});

test("another name has its own key, or two jobs would become one machine", async () => {
  for (const name of ["par-1", "par-2", undefined, "par-2"])
    await expect(attempt(pendingOf("tok_a", name), fail("UNREACHABLE"))).rejects.toThrow();
  expect(new Set(seeds).size).toBe(4);
  await expect(attempt(pendingOf("tok_a", "par-2"), fail("UNREACHABLE"))).rejects.toThrow();
  expect(seeds.at(-1)).toBe(seeds.at(-2));
});

test("a refusal ends it", async () => {
  await expect(attempt("tok_a", fail("TOKEN_REVOKED"))).rejects.toThrow();
  expect(existsSync(pending())).toBe(false);
});

test("what is no pending key is not used as one, and one that others may read is refused", async () => {
  writeFileSync(pending(), '{"tokenId":"tok_a","seed":"short"}', { mode: 0o600 });
  await attempt("tok_a", () => "done");
  writeFileSync(pending(), readFileSync("/dev/null"), { mode: 0o644 });
  await expect(attempt("tok_a", () => "done")).rejects.toThrow(/chmod 600/);
});

test("an accepted key that cannot be kept is used again, and no second use is spent", async () => {
  const full = async (): Promise<never> => {
    throw new SallyportError("IDENTITY_INVALID", `${path} cannot be written (ENOSPC)`);
  };
  const failed = attempt("tok_a", () => "done", full);
  await expect(failed).rejects.toThrow(/ENOSPC.*kept in .*\.pending.*run the same command again/s);
  expect(await attempt("tok_a", () => "done")).toBe("done");
  expect(seeds[1]).toBe(seeds[0]);
  expect(existsSync(pending())).toBe(false);
});

test.each([
  { name: "a folder", make: () => mkdirSync(path), why: /not a plain file/ },
  { name: "a link", make: () => symlinkSync("/dev/null", path), why: /symbolic link/ },
])("$name in the identity's path is refused before the server is asked", async ({ make, why }) => {
  make();
  await expect(attempt("tok_a", () => "done")).rejects.toThrow(why);
  expect(seeds).toEqual([]);
});
