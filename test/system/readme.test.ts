import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDeployment } from "./deployment.ts";

const repository = join(import.meta.dirname, "..", "..");

/** The commands of the README's section on the main job. */
function readmeCommands(): string {
  const [, commands] =
    /walked by test\/system\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/.exec(
      readFileSync(join(repository, "README.md"), "utf8"),
    ) ?? [];
  if (commands === undefined) throw new Error("README.md has no walked block");
  return commands;
}

test("the README's commands do the main job", async () => {
  await using deployment = await startDeployment();
  const home = mkdtempSync(join(tmpdir(), "sallyport-home-"));
  try {
    // The two things that differ from a person's start: the port, and where the state is.
    const commands = readmeCommands()
      .replaceAll("https://localhost:8443", deployment.endpoint.url)
      .replaceAll(/\$PWD\/\.sallyport|\.sallyport/g, deployment.dir);
    const env = { PATH: process.env["PATH"] ?? "", HOME: home, USER: "ada" };
    const output = execFileSync("sh", ["-eu", "-c", commands], { cwd: repository, env, encoding: "utf8" });
    expect(output).toContain("postgres://app@db/app");
    expect(output).toContain("deploying with a key of 12 characters");
    expect(output).toMatch(/secret\.read +allowed/);
    expect(output).not.toContain("ak_live_1234");
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
