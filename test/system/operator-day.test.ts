import {
  chmodSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliProgram } from "./cli/home.ts";
import { createNormaliser } from "./day/normal.ts";
import { formatSession, parseSession } from "./day/session.ts";
import { typeAll } from "./day/shell.ts";
import { type Deployment, isInstalled, startDeployment } from "./deployment.ts";

// The files are of 80 columns. SALLYPORT_DAY_COLUMNS=120 SALLYPORT_DAY_OUT=DIR writes the day as it
// looks at another width.
const columns = Number(process.env["SALLYPORT_DAY_COLUMNS"] ?? 80);
const lookAt = process.env["SALLYPORT_DAY_OUT"];
const sessions = fileURLToPath(new URL("../../clients/cli/testdata", import.meta.url));
const lacking = ["bash", "python3"].filter((program) => !isInstalled(program));
const skipped = lacking.length > 0 ? ` (skipped: ${lacking.join(", ")} not installed)` : "";

let deployment: Deployment;
let dir: string;
beforeAll(async () => {
  if (lacking.length > 0) return;
  deployment = await startDeployment();
  dir = mkdtempSync(join(tmpdir(), "sallyport-day-"));
  mkdirSync(join(dir, "bin"));
  writeFileSync(
    join(dir, "bin", "sallyport"),
    `#!/bin/sh\nexec "${process.execPath}" "${cliProgram}" "$@"\n`,
  );
  chmodSync(join(dir, "bin", "sallyport"), 0o755);
  copyFileSync(deployment.system.owner.codeFile, join(dir, "owner-code"));
}, 240_000);
afterAll(async () => {
  if (lacking.length > 0) return;
  rmSync(dir, { recursive: true, force: true });
  await deployment[Symbol.asyncDispose]();
});

/** Types all sessions, one after the other: each goes on where the one before it ended. */
async function spendDay(): Promise<(readonly [file: string, session: string])[]> {
  const { endpoint, system } = deployment;
  const env = {
    PATH: `${join(dir, "bin")}:${process.env["PATH"] ?? ""}`,
    SALLYPORT_URL: endpoint.url,
    SALLYPORT_CA: system.edgeCaFile,
  };
  const normalise = createNormaliser(dir);
  const day: (readonly [string, string])[] = [];
  for (const file of globSync("*.txt", { cwd: sessions }).toSorted()) {
    const steps = parseSession(readFileSync(join(sessions, file), "utf8"));
    const typed = steps.filter(({ who }) => who !== "");
    const outputs = await typeAll(typed, { dir, env, columns });
    const byStep = new Map(typed.map((step, index) => [step, normalise(outputs[index] ?? "")]));
    day.push([
      file,
      formatSession(steps.map((step) => ({ ...step, output: byStep.get(step) ?? "" }))),
    ]);
  }
  return day;
}

test.skipIf(lacking.length > 0)(
  `an operator's day prints what clients/cli/testdata says, line by line${skipped}`,
  async () => {
    const day = await spendDay();
    expect(day).not.toEqual([]);
    for (const [file, session] of day)
      await expect(session).toMatchFileSnapshot(join(lookAt ?? sessions, file));
  },
  600_000,
);
