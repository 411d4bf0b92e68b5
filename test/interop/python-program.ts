import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Prepared, isOutOfReach, missing, mustRun, run } from "./foreign-program.ts";
import { cache, preparedOnce } from "./prepared-once.ts";

const root = join(import.meta.dirname, "..", "..");
const source = join(import.meta.dirname, "python");
const requirements = join(source, "requirements.txt");
const stubs = join(cache, "python-stubs");
const wanted = "3.11";

/**
 * Installs the pinned packages into a virtual environment, once for each version of the list, and
 * generates stubs.
 */
export function preparePython(): Promise<Prepared> {
  return preparedOnce("python", prepare);
}

async function prepare(): Promise<Prepared> {
  const check = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${wanted.replace(".", ", ")}))`;
  const found = await run("python3", ["-c", check]);
  if (found.code !== 0) return missing(`no python3 of ${wanted} or newer with venv and pip`);
  const version = await mustRun("python3", ["--version"]);
  const environment = join(cache, `python-${digest(version, readFileSync(requirements, "utf8"))}`);
  const refusal = existsSync(environment) ? undefined : await install(environment);
  if (refusal !== undefined) return missing(refusal);
  const python = join(environment, "bin", "python");
  await generate(python);
  const env = { PYTHONPATH: join(stubs, "gen"), PYTHONDONTWRITEBYTECODE: "1" };
  return { kind: "ready", program: { command: python, args: [join(source, "interop.py")], env } };
}

// Made under another name and moved when it is whole, so that one that was cut off is never taken
// for ready.
async function install(environment: string): Promise<string | undefined> {
  const unfinished = `${environment}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  await mustRun("python3", ["-m", "venv", unfinished]);
  const options = [
    "--quiet",
    "--require-hashes",
    "--no-deps",
    "--only-binary",
    ":all:",
    "-r",
    requirements,
  ];
  const pip = await run(join(unfinished, "bin", "python"), ["-m", "pip", "install", ...options]);
  if (pip.code !== 0 && isOutOfReach(pip)) return `no package index: ${pip.stderr}`;
  if (pip.code !== 0) throw new Error(`pip install ended with ${pip.code}: ${pip.stderr}`);
  renameSync(unfinished, environment);
  return undefined;
}

async function generate(python: string): Promise<void> {
  rmSync(stubs, { recursive: true, force: true });
  const path = [join(python, ".."), process.env["PATH"]].join(delimiter);
  const buf = join(root, "node_modules", ".bin", "buf");
  const template = ["--template", "proto/stubs/python.gen.yaml", "-o", stubs];
  await mustRun(buf, ["generate", ...template], { env: { PATH: path }, cwd: root });
}

function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}
