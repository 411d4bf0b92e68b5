import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "./child.ts";
import { type Layout, layOut } from "../data/layout.ts";
import { freePort } from "./ports.ts";
import { isRunning } from "../host/process.ts";

let data = "";
let layout: Layout;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "sallyport-child-"));
  layout = layOut(data);
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

/**
 * Starts policy with a module in front of it that says its process id and then does what the code
 * says.
 */
async function startAfter(code: string, isWanted = () => true) {
  const module = join(layout.folder("policy"), "first.mjs");
  writeFileSync(module, `console.log(JSON.stringify({ msg: "pid " + process.pid }));\n${code}\n`);
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(module).href}` };
  return startChild({
    name: "policy",
    port: await freePort(),
    env,
    layout,
    isWanted,
    patienceMs: 1500,
  });
}

function pidIn(error: unknown): number {
  return Number(/pid (\d+)/.exec(String(error))?.[1]);
}

test("one that never answers is stopped and did not start, with what it said last", async () => {
  const error: unknown = await startAfter(
    "await new Promise(() => setInterval(() => {}, 1000));",
  ).catch((thrown: unknown) => thrown);
  expect(String(error)).toMatch(/policy did not start in 1\.5 s: pid \d+$/);
  expect(isRunning(pidIn(error))).toBe(false);
});

test("one that ends before it answers did not start, with its own sentence", async () => {
  await expect(startAfter('throw new Error("no such key");')).rejects.toThrow(
    "policy did not start: no such key",
  );
});

test("one that is no longer wanted is stopped", async () => {
  const waiting = startAfter("await new Promise(() => setInterval(() => {}, 1000));", () => false);
  await expect(waiting).rejects.toThrow("policy did not start: it was stopped");
});
