import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Lock, Package, SourceFile, TagTable, Tree } from "./tree.ts";

const notOurs =
  /(^|\/)(node_modules|dist|\.git|\.turbo|\.sallyport|coverage|third_party|gen)(\/|$)/;

/** Reads the repository below the root. */
export function readTree(root: string): Tree {
  const paths = globSync("**", { cwd: root, exclude: (path) => notOurs.test(path) }).filter(
    (path) => !notOurs.test(path),
  );
  return {
    tags: readTags(root),
    packages: paths
      .filter((path) => path.endsWith("/package.json"))
      .map((path) => readPackage(root, path.slice(0, -"/package.json".length))),
    lock: readLock(root),
    files: paths.filter((path) => /\.[cm]?tsx?$/.test(path)).map((path) => readSource(root, path)),
    paths,
  };
}

/** Reads what the style rules look at: code, contracts and scripts. */
export function readTexts(root: string): SourceFile[] {
  const paths = globSync("**/*.{ts,proto,sh}", {
    cwd: root,
    exclude: (path) => notOurs.test(path),
  });
  return paths.filter((path) => !notOurs.test(path)).map((path) => readSource(root, path));
}

function readTags(root: string): TagTable {
  const tags = record(record(readJson(join(root, "turbo.json"))["boundaries"])["tags"]);
  return Object.fromEntries(
    Object.entries(tags).map(([tag, rule]) => [
      tag,
      texts(record(record(rule)["dependencies"])["allow"]),
    ]),
  );
}

function readPackage(root: string, dir: string): Package {
  const manifest = readJson(join(root, dir, "package.json"));
  const turbo = join(root, dir, "turbo.json");
  const fields = ["dependencies", "devDependencies", "optionalDependencies"];
  return {
    dir,
    name: String(manifest["name"]),
    tag: existsSync(turbo) ? (texts(readJson(turbo)["tags"])[0] ?? "") : "",
    exports: record(manifest["exports"]),
    dependencies: fields.flatMap((field) => Object.keys(record(manifest[field]))),
    shipped: Object.keys(record(manifest["dependencies"])),
  };
}

function readLock(root: string): Lock {
  const entries = Object.entries(record(readJson(join(root, "package-lock.json"))["packages"]));
  const fields = ["dependencies", "optionalDependencies", "peerDependencies"];
  return Object.fromEntries(
    entries.map(([path, value]) => {
      const entry = record(value);
      const dependencies = fields.flatMap((field) => Object.keys(record(entry[field])));
      const linked = entry["link"] === true ? { linkTo: String(entry["resolved"]) } : {};
      return [path, { dependencies, ...linked }];
    }),
  );
}

function readSource(root: string, path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

function readJson(file: string): Record<string, unknown> {
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  return record(value);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
