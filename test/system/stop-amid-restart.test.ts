import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSystem } from "@sallyport/deploy/local";
import { expect, test } from "vitest";

test("what is being started again when everything is stopped does not stay behind", async () => {
  const data = mkdtempSync(join(tmpdir(), "sallyport-stop-"));
  chmodSync(data, 0o711);
  const again = Promise.withResolvers<void>();
  try {
    await using system = await startSystem({
      data,
      port: 0,
      step: async (_, run) => run(),
      onRestart: () => again.resolve(),
    });
    const { pid } = system.child("policy");
    process.kill(pid, "SIGKILL");
    await again.promise;
    await sleep(200); // Its next process is there, and answers nothing yet.
    expect(system.child("policy").pid).toBe(pid);
    await system.stopProcess("policy");
    const next = system.child("policy");
    expect(next.pid).not.toBe(pid);
    expect(() => process.kill(next.pid, 0)).toThrow("ESRCH");
    await sleep(3000);
    expect(system.child("policy")).toBe(next);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}, 120_000);
