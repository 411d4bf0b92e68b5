import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "./deployment.ts";

// It loads a whole Debian and installs twice, which takes minutes: only when asked for.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const repository = join(import.meta.dirname, "..", "..");
const mirror = process.env["SALLYPORT_TEST_MIRROR"] ?? "http://deb.debian.org/debian";
const authorities = "/etc/ssl/certs/ca-certificates.crt";

function reasonToSkip(): string | undefined {
  if (process.env["SALLYPORT_TEST_BARE_DEBIAN"] !== "1")
    return "asked for by SALLYPORT_TEST_BARE_DEBIAN=1";
  if (process.getuid?.() !== 0) return "needs root";
  return ["debootstrap", "unshare", "tar"]
    .find((program) => !isInstalled(program))
    ?.concat(" is missing");
}

const reason = reasonToSkip();
const system = join(mkdtempSync(join(tmpdir(), "sallyport-bare-")), "debian");
afterAll(() => rmSync(dirname(system), { recursive: true, force: true }));

/** A minimal Debian with git, the Node that this machine has besides the pinned one, and a user. */
function makeSystem(): void {
  chmodSync(dirname(system), 0o711);
  const include = "--include=ca-certificates,git";
  execFileSync("debootstrap", ["--variant=minbase", include, "bookworm", system, mirror], {
    stdio: "ignore",
  });
  for (const file of ["/etc/resolv.conf", "/etc/hosts", authorities])
    copyFileSync(file, join(system, file));
  const path = (process.env["PATH"] ?? "")
    .split(":")
    .filter((folder) => !folder.startsWith(repository + sep));
  const found = (name: string): string =>
    realpathSync(
      execFileSync("sh", ["-c", `command -v ${name}`], {
        env: { PATH: path.join(":") },
        encoding: "utf8",
      }).trim(),
    );
  copyFileSync(found("node"), join(system, "usr/local/bin/node"));
  cpSync(join(found("npm"), "../.."), join(system, "usr/local/lib/npm"), { recursive: true });
  execFileSync("ln", ["-s", "../lib/npm/bin/npm-cli.js", join(system, "usr/local/bin/npm")]);
  execFileSync("chroot", [system, "useradd", "--create-home", "ada"]);
  chmodSync(join(system, "root"), 0o700);
}

function putClone(folder: string, owner: string): void {
  mkdirSync(join(system, folder), { recursive: true });
  const copy = `git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$1"`;
  execFileSync("sh", ["-c", copy, "sh", join(system, folder)], { cwd: repository });
  execFileSync("chroot", [system, "chown", "-R", `${owner}:`, folder]);
}

const enter = `mount --make-rprivate / && mount --bind "$0" "$0" && mount -t proc proc "$0/proc" &&
mount --rbind /dev "$0/dev" && exec chroot --userspec="$1" "$0" env -i HOME="$2" PATH="$3" \\
npm_config_cafile=${authorities} NODE_EXTRA_CA_CERTS=${authorities} sh -c 'cd "$1" && sh deploy/start.sh \\
--demo-only' sh "$4"`;

/** Starts the clone in a folder of that system as a user, in namespaces of its own. */
function start(user: string, home: string, folder: string) {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const isolated = ["--mount", "--pid", "--fork", "--kill-child"];
  const args = [...isolated, "sh", "-c", enter, system, user, home, path, folder];
  const { status, stdout, stderr } = spawnSync("unshare", args, {
    encoding: "utf8",
    timeout: 390_000,
  });
  return { status, said: stdout + stderr };
}

describe.skipIf(reason !== undefined)(`a bare Debian${reason ? ` (${reason})` : ""}`, () => {
  beforeAll(makeSystem);

  test("a user without sudo, without Redis and with a home folder that is not there", () => {
    const folder = "/srv/ada/Größe und Raum";
    putClone(folder, "ada");
    const { status, said } = start("ada", "/nonexistent", folder);
    expect(status, said).toBe(0);
    expect(said).toContain("unpacking the distribution's redis-server");
    expect(said).not.toMatch(/installing (libatomic|redis)/);
  });

  test("root, in a folder that nobody else may enter", () => {
    putClone("/root/sallyport", "root");
    const { status, said } = start("root", "/root", "/root/sallyport");
    expect(status, said).toBe(0);
    expect(said).toContain("installing redis-server by the distribution's package");
  });
});
