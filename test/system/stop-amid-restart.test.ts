import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSystem } from "@sallyport/deploy/local";
import { expect, test } from "vitest";

/** The processes that serve policy out of a data directory. */
function policiesOf(data: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return words.includes(join(data, "policy")) && words.includes("policy/src/main.ts");
    } catch {
      return false; // No process, or one that has just ended.
    }
  });
}

test("a process that is stopped while it starts does not stay behind", async () => {
  const data = mkdtempSync(join(tmpdir(), "sallyport-stop-"));
  chmodSync(data, 0o711);
  const ended = Promise.withResolvers<string>();
  try {
    await using system = await startSystem({
      data,
      port: 0,
      step: async (_, run) => run(),
      onEnd: (name, sentence) => ended.resolve(`${name}: ${sentence}`),
    });
    const { pid } = system.child("policy");
    process.kill(pid, "SIGKILL");
    expect(await ended.promise).toBe("policy: it was ended by SIGKILL");
    const starting = system.startProcess("policy");
    // Its next process is there, and answers nothing yet.
    await expect.poll(() => policiesOf(data), { interval: 20 }).toHaveLength(1);
    expect(policiesOf(data)).not.toContain(String(pid));
    expect(system.child("policy").pid).toBe(pid);
    await system.stopProcess("policy");
    await starting;
    expect(policiesOf(data)).toEqual([]);
    await sleep(3000);
    expect(policiesOf(data)).toEqual([]);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}, 120_000);
