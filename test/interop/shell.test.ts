import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled, startMainJob } from "../system/deployment.ts";

let job: Awaited<ReturnType<typeof startMainJob>>;

beforeAll(async () => {
  job = await startMainJob();
});
afterAll(async () => {
  job.admin.close();
  await job.deployment[Symbol.asyncDispose]();
});

function read(shell: string, secretId: string, path = process.env["PATH"] ?? "") {
  const env = {
    PATH: path,
    SALLYPORT_URL: job.deployment.endpoint.url,
    SALLYPORT_CA: job.deployment.system.edgeCaFile,
    SALLYPORT_ENROLLMENT_TOKEN: job.token,
  };
  return promisify(execFile)(shell, [join(import.meta.dirname, "shell.sh"), secretId], { env });
}

/**
 * Says which programs a test lacks here; a test that lacks one is skipped, its title and a line of
 * output say why.
 */
function lacking(...programs: string[]): string {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return "";
  const reason = `${missing.join(", ")} not installed`;
  console.warn(`curl and openssl from ${programs.at(-1)}: skipped, ${reason}`);
  return ` (skipped: ${reason})`;
}

describe("curl and openssl", () => {
  for (const shell of ["dash", "bash"]) {
    const reason = lacking("curl", "openssl", shell);
    test.skipIf(reason !== "")(`enroll and read from ${shell}${reason}`, async () => {
      const { stdout } = await read(shell, job.granted[0] ?? "");
      expect(stdout).toBe(job.values.DB_URL);
    });
  }

  const withoutBusybox = lacking("curl", "openssl", "busybox");
  test.skipIf(withoutBusybox !== "")(
    `enroll and read from busybox ash, with busybox's own tr, sed, awk and tail${withoutBusybox}`,
    async () => {
      const applets = mkdtempSync(join(tmpdir(), "sallyport-busybox-"));
      execFileSync("busybox", ["--install", "-s", applets]);
      const path = [applets, process.env["PATH"]].join(delimiter);
      const { stdout } = await read(join(applets, "ash"), job.granted[0] ?? "", path);
      expect(stdout).toBe(job.values.DB_URL);
      rmSync(applets, { recursive: true, force: true });
    },
  );

  const reason = lacking("curl", "openssl");
  test.skipIf(reason !== "")(`are refused without a grant, and say so${reason}`, async () => {
    const refused = read("sh", job.ids["OTHER"] ?? "");
    await expect(refused).rejects.toMatchObject({ code: 3, stdout: "" });
    await expect(refused).rejects.toThrow(/refused \(403\): no grant covers/);
  });
});
