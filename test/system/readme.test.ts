import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDeployment } from "./deployment.ts";

const repository = join(import.meta.dirname, "..", "..");

/** The README's commands: up to the first read of an own secret, and what comes after. */
function readmeCommands(): { readonly first: string; readonly after: string } {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const walked = /walked by test\/system\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/g;
  const [first, after, ...more] = [...readme.matchAll(walked)].map(([, commands = ""]) => commands);
  if (first === undefined || after === undefined || more.length > 0)
    throw new Error("README.md has not two walked blocks");
  return { first, after };
}

test("from a clone to the first read of an own secret are under ten commands", () => {
  const { first } = readmeCommands();
  expect(first.trim().split("\n").at(-1)).toBe("sallyport get DB_URL");
  expect("sh deploy/start.sh\n".concat(first).trim().split("\n").length).toBeLessThan(10);
});

test("the README's commands do the main job", async () => {
  await using deployment = await startDeployment();
  const home = mkdtempSync(join(tmpdir(), "sallyport-home-"));
  try {
    // The two things that differ from a person's start: the port, and where the state is.
    const { first, after } = readmeCommands();
    const commands = (first + after)
      .replaceAll("https://localhost:8443", deployment.endpoint.url)
      .replaceAll(/\$PWD\/\.sallyport|\.sallyport/g, deployment.dir);
    const env = { PATH: process.env["PATH"] ?? "", HOME: home, USER: "ada" };
    const output = execFileSync("sh", ["-eu", "-c", commands], {
      cwd: repository,
      env,
      encoding: "utf8",
    });
    expect(output).toContain("postgres://app@db/app");
    expect(output).toContain("deploying with an address of 21 characters");
    expect(output).toMatch(/secret\.read +runner-1 +DB_URL +ok/);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
