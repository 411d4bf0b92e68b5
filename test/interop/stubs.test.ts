import { globSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { announceMissing, mustRun, programOf } from "./foreign-program.ts";
import { freshCopy } from "./fresh-copy.ts";
import { goEnvironment, goPlugins, prepareGo } from "./go-program.ts";
import { preparePython } from "./python-program.ts";

const buf = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "buf");
// With node, which starts buf, and without anything of our own.
const systemPath = [join(process.execPath, ".."), "/usr/local/bin", "/usr/bin", "/bin"].join(
  delimiter,
);
const go = await prepareGo();
const python = await preparePython();

/** The names of the folders below gen that are for our own processes alone. */
const internal = (own: string): string[] => globSync("gen/**/{internal,crypto}/**", { cwd: own });

test("a clone builds with buf alone", async () => {
  using copy = freshCopy("stubs/go");
  await mustRun(buf, ["build"], { cwd: copy.clone, env: { PATH: systemPath } });
  await mustRun(buf, ["build", "-o", join(copy.own, "sallyport.binpb")], { cwd: copy.clone });
  expect(readFileSync(join(copy.own, "sallyport.binpb")).length).toBeGreaterThan(10_000);
});

test("every package has a Go name of its own", () => {
  const root = join(import.meta.dirname, "..", "..");
  const files = globSync("proto/sallyport/**/*.proto", { cwd: root });
  const named = files.map((file) => {
    const text = readFileSync(join(root, file), "utf8");
    const [, path = "", name = ""] = /go_package = "([^;"]+);(\w+)"/.exec(text) ?? [];
    const [, owner = ""] = /^package (.*);$/m.exec(text) ?? [];
    return { owner, path, name };
  });
  const packages = new Set(named.map(({ owner }) => owner));
  expect(new Set(named.map(({ name }) => name)).size).toBe(packages.size);
  expect(new Set(named.map(({ path }) => path)).size).toBe(packages.size);
});

describe.skipIf(go.kind === "missing")(`in Go${announceMissing("Go stubs", go)}`, () => {
  test("stubs of the public API stand beside protovalidate, genproto and grpc", async () => {
    using copy = freshCopy("stubs/go");
    const env = { PATH: [goPlugins, systemPath].join(delimiter) };
    const template = ["--template", "proto/stubs/go.gen.yaml", "-o", copy.own];
    await mustRun(buf, ["generate", ...template], { cwd: copy.clone, env });
    expect(internal(copy.own)).toEqual([]);
    expect(globSync("gen/{buf,google,grpc}", { cwd: copy.own })).toEqual([]);
    await mustRun("go", ["build", "-o", "first", "."], { cwd: copy.own, env: goEnvironment });
    const told = await mustRun(join(copy.own, "first"), []);
    expect(told.split("\n")).toEqual([
      "valid: true",
      expect.stringContaining("name exactly one of secret_ids, project_id, all_granted"),
      expect.stringContaining("REASON_CLOCK_SKEW"),
    ]);
  });
});

describe.skipIf(python.kind === "missing")(
  `in Python${announceMissing("Python stubs", python)}`,
  () => {
    test("stubs of the public API stand beside grpcio-status and its google.rpc", async () => {
      using copy = freshCopy("stubs/python");
      const { command } = programOf(python);
      const env = { PATH: [join(command, ".."), systemPath].join(delimiter) };
      const template = ["--template", "proto/stubs/python.gen.yaml", "-o", copy.own];
      await mustRun(buf, ["generate", ...template], { cwd: copy.clone, env });
      expect(internal(copy.own)).toEqual([]);
      const told = await mustRun(command, [join(copy.own, "first.py")], {
        env: { PYTHONPATH: join(copy.own, "gen") },
      });
      expect(told.split("\n")).toEqual(["message: True", "details: StatusCode.UNAUTHENTICATED 5"]);
    });
  },
);
