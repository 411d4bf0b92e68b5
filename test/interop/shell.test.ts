import { execFile } from "node:child_process";
import { join } from "node:path";
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

function read(shell: string, secretId: string) {
  const env = {
    PATH: process.env["PATH"] ?? "",
    SALLYPORT_URL: job.deployment.endpoint.url,
    SALLYPORT_CA: job.deployment.system.edgeCaFile,
    SALLYPORT_ENROLLMENT_TOKEN: job.token,
  };
  return promisify(execFile)(shell, [join(import.meta.dirname, "shell.sh"), secretId], { env });
}

/** Says which programs a test lacks here; a test that lacks one is skipped, and its title says why. */
function lacking(...programs: string[]): string {
  const missing = programs.filter((program) => !isInstalled(program));
  return missing.length === 0 ? "" : ` (skipped: ${missing.join(", ")} not installed)`;
}

describe("curl and openssl", () => {
  for (const shell of ["dash", "bash"]) {
    const reason = lacking("curl", "openssl", shell);
    test.skipIf(reason !== "")(`enroll and read from ${shell}${reason}`, async () => {
      const { stdout } = await read(shell, job.granted[0] ?? "");
      expect(stdout).toBe(job.values.DB_URL);
    });
  }

  const reason = lacking("curl", "openssl");
  test.skipIf(reason !== "")(`are refused without a grant, and say so${reason}`, async () => {
    const refused = read("sh", job.ids["OTHER"] ?? "");
    await expect(refused).rejects.toMatchObject({ code: 3, stdout: "" });
    await expect(refused).rejects.toThrow(/refused \(403\): no grant covers/);
  });
});
