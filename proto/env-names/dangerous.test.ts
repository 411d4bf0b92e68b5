import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { dangerOf, dangerousNames } from "./dangerous.ts";

describe("dangerOf", () => {
  test.each([
    "LD_PRELOAD",
    "LD_WHATEVER_COMES",
    "DYLD_INSERT_LIBRARIES",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "PATH",
    "HOME",
    "BASH_ENV",
    "ENV",
    "BASH_FUNC_ls",
    "PYTHONWARNINGS",
    "PERL5DB",
    "RUBYSHELL",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_0",
    "GIT_SEQUENCE_EDITOR",
    "AWS_PAGER",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "DOCKER_CONFIG",
    "CLOUDSDK_PYTHON",
    "SUDO_ASKPASS",
    "ANSIBLE_CALLBACK_PLUGINS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "PIP_INDEX_URL",
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
    "SSLKEYLOGFILE",
    "SALLYPORT_URL",
  ])("%s is dangerous", (name) => {
    expect(dangerOf(name)).toBeTypeOf("string");
  });

  test("letters of either case count", () => {
    expect(dangerOf("Path")).toBe(dangerOf("PATH"));
    expect(dangerOf("node_options")).toBe(dangerOf("NODE_OPTIONS"));
    expect(dangerOf("npm_config_registry")).toBe(dangerOf("NPM_CONFIG_REGISTRY"));
  });

  // What people really keep in a secrets manager: a warning that comes for these is one that nobody
  // reads.
  test.each([
    "DB_URL",
    "API_KEY",
    "DATABASE_URL",
    "ENVIRONMENT",
    "MY_PATH",
    "PATH_TO_KEY",
    "HOMEPAGE",
    "BUILD_LD_PRELOAD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL",
    "DOCKER_HOST",
    "DOCKER_PASSWORD",
    "KUBECONFIG",
    "HTTPS_PROXY",
    "PGPASSWORD",
    "MYSQL_PWD",
    "REDIS_URL",
    "GITHUB_TOKEN",
    "GIT_TOKEN",
    "GIT_PASSWORD",
    "GITLAB_TOKEN",
    "NPM_TOKEN",
    "NODE_AUTH_TOKEN",
    "YARN_NPM_AUTH_TOKEN",
    "CARGO_REGISTRY_TOKEN",
    "TWINE_PASSWORD",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "TF_VAR_db_password",
    "TF_TOKEN_app_terraform_io",
    "ANSIBLE_VAULT_PASSWORD",
    "BUNDLE_GEMS__EXAMPLE__COM",
    "ORG_GRADLE_PROJECT_signingKey",
    "SSH_PRIVATE_KEY",
    "GPG_PRIVATE_KEY",
    "SENTRY_DSN",
    "JAVA_KEYSTORE_PASSWORD",
    "PYTHON_REGISTRY_PASSWORD",
    "LDAP_PASSWORD",
    "CCTRAY_TOKEN",
    "tls.crt",
  ])("%s is not", (name) => {
    expect(dangerOf(name)).toBeUndefined();
  });

  test("every name is in capitals, once, of letters that a secret's name may have, with its reason", () => {
    const names = dangerousNames.flatMap((group) => group.names);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    for (const name of names) expect(name).toMatch(/^[A-Z0-9_*]+$/);
    for (const { why } of dangerousNames) expect(why).toMatch(/^\S.{9,120}\S$/);
  });
});

/** A harmless command, and variables of the list that make it run `touch`. */
type Attack = {
  readonly run: readonly [program: string, ...args: string[]];
  readonly env: (dir: string, touch: string) => Readonly<Record<string, string>>;
  /** Files of the folder that is named in the variables. */
  readonly files?: Readonly<Record<string, (touch: string) => string>>;
};

const attacks: readonly Attack[] = [
  {
    run: ["bash", "-c", ":"],
    env: (dir) => ({ BASH_ENV: join(dir, "rc") }),
    files: { rc: (touch) => touch },
  },
  { run: ["bash", "-c", "ls"], env: (_, touch) => ({ "BASH_FUNC_ls%%": `() { ${touch}; }` }) },
  {
    run: ["zsh", "-c", ":"],
    env: (dir) => ({ ZDOTDIR: dir }),
    files: { ".zshenv": (touch) => touch },
  },
  {
    run: ["git", "ls-remote", "ssh://localhost/x"],
    env: (_, touch) => ({ GIT_SSH_COMMAND: `${touch};false` }),
  },
  {
    run: ["git", "st"],
    env: (_, touch) => ({
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "alias.st",
      GIT_CONFIG_VALUE_0: `!${touch}`,
    }),
  },
  { run: ["git", "version"], env: (dir) => ({ GIT_TRACE: join(dir, "touched") }) },
  {
    run: ["node", "-e", "0"],
    env: (dir) => ({ NODE_OPTIONS: `--require ${join(dir, "first.cjs")}` }),
    files: { "first.cjs": (touch) => `require("node:child_process").execSync("${touch}")` },
  },
  {
    run: ["python3", "-c", "0"],
    env: (dir) => ({ PYTHONPATH: dir }),
    files: { "sitecustomize.py": (touch) => `import os; os.system("${touch}")` },
  },
  {
    run: ["perl", "-e", "0"],
    env: (dir) => ({ PERL5OPT: "-MFirst", PERL5LIB: dir }),
    files: { "First.pm": (touch) => `system("${touch}"); 1;` },
  },
  {
    run: ["perl", "-d", "-e", "0"],
    env: (_, touch) => ({ PERL5DB: `BEGIN { system("${touch}"); exit }` }),
  },
  {
    run: ["make", "-f", "/dev/null"],
    env: (dir) => ({ MAKEFILES: join(dir, "first.mk") }),
    files: { "first.mk": (touch) => `$(shell ${touch})` },
  },
  {
    run: ["make", "-f", "/dev/null"],
    env: (dir) => ({ MAKEFLAGS: `--eval=include\\ ${dir}/first.mk` }),
    files: { "first.mk": (touch) => `$(shell ${touch})` },
  },
  {
    run: ["tar", "-cf", "/dev/null", "/dev/null"],
    env: (_, touch) => ({ TAR_OPTIONS: `--checkpoint=1 --checkpoint-action=exec='${touch}'` }),
  },
];

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

describe("a program that is told to do nothing", () => {
  for (const { run, env, files = {} } of attacks) {
    const [program, ...args] = run;
    const names = Object.keys(env("", ""));
    test.skipIf(!isInstalled(program))(`${run.join(" ")} obeys ${names.join(" and ")}`, () => {
      const dir = mkdtempSync(join(tmpdir(), "sallyport-names-"));
      try {
        const [plain, touched] = [
          { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" },
          join(dir, "touched"),
        ];
        const touch = `touch ${touched}`;
        for (const [name, text] of Object.entries(files))
          writeFileSync(join(dir, name), `${text(touch)}\n`);
        const options = { cwd: dir, timeout: 9_000, stdio: "ignore" } as const;
        spawnSync(program, args, { ...options, env: plain });
        expect(existsSync(touched), "by itself").toBe(false);
        spawnSync(program, args, { ...options, env: { ...plain, ...env(dir, touch) } });
        expect(existsSync(touched), "with the variables").toBe(true);
        for (const name of names) expect(dangerOf(name.replace("%%", "")), name).toBeDefined();
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
});
