import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Prepared, isOutOfReach, missing, mustRun, run } from "./foreign-program.ts";
import { cache, preparedOnce } from "./prepared-once.ts";

const root = join(import.meta.dirname, "..", "..");
const source = join(import.meta.dirname, "go");
/** Where the plugins are that protoc and buf call for Go, once it is prepared. */
export const goPlugins = join(cache, "go-plugins");
const client = join(cache, "go-client");
const wanted = [1, 26] as const;

/** Compiling is most of a first run: without cgo and optimisation it takes half the time. */
export const goEnvironment = {
  CGO_ENABLED: "0",
  GOFLAGS: "-mod=readonly '-gcflags=all=-N -l -dwarf=false' '-ldflags=-s -w'",
};

/**
 * Generates stubs from our protos and builds the Go program; a second build takes what Go has
 * cached.
 */
export function prepareGo(): Promise<Prepared> {
  return preparedOnce("go", prepare);
}

async function prepare(): Promise<Prepared> {
  const env = goEnvironment;
  const version = await run("go", ["env", "GOVERSION"]);
  if (version.code !== 0) return missing("go is not installed");
  if (!isNewEnough(version.stdout))
    return missing(`${version.stdout} is older than go${wanted.join(".")}`);
  const modules = await run("go", ["mod", "download"], { env, cwd: source });
  if (modules.code !== 0 && isOutOfReach(modules))
    return missing(`no module proxy: ${modules.stderr}`);
  await mustRun("go", ["build", "-o", `${goPlugins}/`, "tool"], { env, cwd: source });
  const path = [goPlugins, process.env["PATH"]].join(delimiter);
  const buf = join(root, "node_modules", ".bin", "buf");
  const generate = ["generate", "--template", template(), "-o", source];
  await mustRun(buf, generate, { env: { PATH: path }, cwd: root });
  await mustRun("go", ["build", "-o", client, "."], { env, cwd: source });
  return { kind: "ready", program: { command: client, args: [], env: {} } };
}

// The template that strangers have, with the import path of this module.
function template(): string {
  const text = readFileSync(join(root, "proto", "stubs", "go.gen.yaml"), "utf8");
  return text.replace("sallyport.example/you/gen", "sallyport.example/interop/gen");
}

/** Lists the source files that gofmt would write otherwise. */
export function unformattedGo(): Promise<string> {
  return mustRun("gofmt", ["-l", "."], { cwd: source });
}

// "go1.26.8"
function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.replace("go", "").split(".").map(Number);
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}
