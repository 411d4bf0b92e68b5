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
async function startAfter(code: string) {
  const module = join(layout.folder("policy"), "first.mjs");
  writeFileSync(module, `console.log(JSON.stringify({ msg: "pid " + process.pid }));\n${code}\n`);
  const port = await freePort();
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(module).href}`, PORT: String(port) };
  return startChild({
    name: "policy",
    port,
    env,
    layout,
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

test("one that answers has started, and says why it ended", async () => {
  await using stack = new AsyncDisposableStack();
  const listen = `import { createServer } from "node:net";
    await new Promise((up) => createServer().listen(process.env.PORT, "127.0.0.1", up));
    setTimeout(() => { throw new Error("no more"); }, 300);
    await new Promise(() => {});`;
  const child = await startAfter(listen);
  stack.defer(() => child.stop());
  expect(isRunning(child.pid)).toBe(true);
  expect(await child.ended).toBe("no more");
  expect(isRunning(child.pid)).toBe(false);
});
