import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "sallyport-logger-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a process whose supervisor died ends, though nobody reads what it still logs", async () => {
  const program = join(dir, "program.mjs");
  const logger = JSON.stringify(join(import.meta.dirname, "logger.ts"));
  writeFileSync(
    program,
    `import { createLogger } from ${logger};
const logger = createLogger({ service: "audit" });
process.once("disconnect", () => {
  for (const step of ["one", "two", "three"]) logger.warn(step);
  process.exit(7);
});
logger.info("started");`,
  );
  const child = fork(program, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  await once(child.stderr ?? child, "data");
  child.stderr?.destroy();
  child.disconnect();
  const ended = once(child, "exit");
  const killer = setTimeout(() => child.kill("SIGKILL"), 8_000);
  expect(await ended).toEqual([7, null]);
  clearTimeout(killer);
}, 20_000);

test("a logger does not keep a process from ending that has a supervisor", async () => {
  const program = join(dir, "program.mjs");
  const logger = JSON.stringify(join(import.meta.dirname, "logger.ts"));
  writeFileSync(
    program,
    `import { createLogger } from ${logger};\ncreateLogger({ service: "audit" }).info("all done");`,
  );
  const child = fork(program, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const ended = once(child, "exit");
  const killer = setTimeout(() => child.kill("SIGKILL"), 8_000);
  expect(await ended).toEqual([0, null]);
  clearTimeout(killer);
}, 20_000);
