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

describe("curl and openssl", () => {
  for (const shell of ["dash", "bash"]) {
    // bash and dash are on every Debian; elsewhere a missing one is said, not silently left out.
    test.skipIf(!isInstalled(shell))(
      `enroll and read from ${shell}${isInstalled(shell) ? "" : " (not installed here)"}`,
      async () => {
        const { stdout } = await read(shell, job.granted[0] ?? "");
        expect(stdout).toBe(job.values.DB_URL);
      },
    );
  }

  test("are refused without a grant, and say so", async () => {
    const refused = read("sh", job.ids["OTHER"] ?? "");
    await expect(refused).rejects.toMatchObject({ code: 3, stdout: "" });
    await expect(refused).rejects.toThrow(/refused \(403\): no grant covers/);
  });
});
