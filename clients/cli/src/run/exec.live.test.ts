import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { inPty, lackingPty } from "../testing/pty.ts";
import { formsOf } from "./forms.ts";
import { createRedactor } from "./redact.ts";

const runner = join(import.meta.dirname, "..", "testing", "exec.ts");
const value = "a-secret-value";
const env = { PATH: process.env["PATH"] ?? "", VALUE: value };
let dir: string;

// Each test starts processes; on a busy machine each of them takes a second.
vi.setConfig({ testTimeout: 60_000 });

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-run-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
};

function start(how: string, command: readonly string[], input: "ignore" | "pipe" = "ignore") {
  const args = [runner, how, ...command];
  const child = spawn(process.execPath, args, { env, stdio: [input, "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (err += text));
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal, out, err })),
  );
  return { child, ended, output: () => out };
}

/** The status as a shell tells it. */
function statusOf({ code, signal }: Ended): number | string | null {
  return signal === null ? code : signal;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}

describe.each(["plain", "filtered"])("a command that is run %s", (how) => {
  test("has its own exit code", async () => {
    for (const code of [0, 1, 7, 255])
      expect((await start(how, ["sh", "-c", `exit ${code}`]).ended).code).toBe(code);
  });

  test("that a signal ends is 128 and the signal's number to a shell", () => {
    const line = `"$0" "$1" ${how} sh -c 'kill -TERM $$'; echo $?`;
    const { stdout } = spawnSync("sh", ["-c", line, process.execPath, runner], {
      env,
      encoding: "utf8",
    });
    expect(stdout.trim().split("\n").at(-1)).toBe("143");
  });

  test("that is not there is 127, one that cannot be started 126, each with the next step", async () => {
    const none = await start(how, ["no-such-command-at-all"]).ended;
    expect(none.code).toBe(127);
    expect(none.err).toMatch(/no-such-command-at-all: there is no such command.*\n {2}→ /);
    const file = join(dir, "not-executable");
    writeFileSync(file, "#!/bin/sh\n", { mode: 0o644 });
    const forbidden = await start(how, [file]).ended;
    expect(forbidden.code).toBe(126);
    expect(forbidden.err).toMatch(/EACCES.*\n.*chmod/);
    expect((await start(how, [join(dir, "none")]).ended).code).toBe(127);
  });

  test("that is one quoted line is told to give it to a shell", async () => {
    const { code, err } = await start(how, ["echo $DB_URL"]).ended;
    expect(code).toBe(127);
    expect(err).toMatch(
      /there is no such command.*\n {2}→ give each word as an argument.*sallyport run -- sh -c/,
    );
  });

  test("is looked for in the system's folders without a PATH, as execvp(3) has it, and not in this one", () => {
    const name = "ls";
    writeFileSync(join(dir, name), "#!/bin/sh\necho from this folder\n", { mode: 0o755 });
    const { PATH: _, ...bare } = env;
    const options = { env: bare, cwd: dir, encoding: "utf8" } as const;
    const { stdout, status } = spawnSync(process.execPath, [runner, how, name, runner], options);
    rmSync(join(dir, name));
    expect({ stdout, status }).toEqual({ stdout: `${runner}\n`, status: 0 });
  });

  test("behind nohup lives on when its terminal goes", async () => {
    const { child, ended, output } = start(how, [
      "nohup",
      "sh",
      "-c",
      "echo ready; sleep 1; echo still",
    ]);
    await expect.poll(output).toContain("ready");
    process.kill(child.pid ?? 0, "SIGHUP");
    const { code, out } = await ended;
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("still") as string });
  });

  test("that names no interpreter that is there, or has too much environment, says so", async () => {
    const file = join(dir, `crlf-${how}`);
    writeFileSync(file, "#!/bin/sh\r\necho x\r\n", { mode: 0o755 });
    const crlf = await start(how, [file]).ended;
    expect(crlf.code).toBe(126);
    expect(crlf.err).toMatch(
      /names an interpreter that is not there.*\n {2}→ look at its first line/,
    );
    // More than the system lets one exec(2) take, made within: this test could not pass it on
    // either.
    const grown = `for (let n = 0; n < 20; n += 1) process.env["V" + n] = "x".repeat(130_000);
      process.argv.splice(1, 0, "");
      await import(${JSON.stringify(runner)});`;
    const args = ["--input-type=module", "-e", grown, "--", how, "true"];
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    expect(stderr).toMatch(
      /environment and the arguments are too large.*\n {2}→ give it fewer secrets/,
    );
    expect(stderr).not.toContain("ExperimentalWarning");
    expect(status).toBe(126);
  });

  test("may be a script without an interpreter line", async () => {
    const file = join(dir, `script-${how}`);
    writeFileSync(file, 'echo "ran $1"\n');
    chmodSync(file, 0o755);
    expect((await start(how, [file, "it's one argument"]).ended).out).toBe(
      "ran it's one argument\n",
    );
  });

  test("gets standard input, and its arguments as they are", async () => {
    const { child, ended } = start(how, ["cat"], "pipe");
    child.stdin?.end("from a pipe");
    expect((await ended).out).toBe("from a pipe");
    const args = ["", "two words", "$HOME", "--json", "*"];
    expect((await start(how, ["printf", "%s|", ...args]).ended).out).toBe(`${args.join("|")}|`);
  });

  test("gets every signal that its parent got", async () => {
    for (const [signal, name] of [
      ["SIGTERM", "TERM"],
      ["SIGINT", "INT"],
      ["SIGHUP", "HUP"],
      ["SIGUSR1", "USR1"],
    ] as const) {
      const script = `trap 'echo got ${name}; exit 5' ${name}; echo ready; while :; do sleep 0.05; done`;
      const { child, ended, output } = start(how, ["sh", "-c", script]);
      await expect.poll(output, { timeout: 20_000 }).toContain("ready");
      child.kill(signal);
      const end = await ended;
      expect(end.out).toContain(`got ${name}`);
      expect(statusOf(end)).toBe(5);
    }
  });

  test("has the signals of a fresh process: a broken pipe ends it as it should", async () => {
    const { out } = await start(how, ["sh", "-c", "grep SigIgn /proc/self/status"]).ended;
    expect(out).toMatch(/SigIgn:\s+0000000000000000/);
    const broken = await start(how, [
      "bash",
      "-c",
      "yes | head -1 >/dev/null; echo ${PIPESTATUS[0]}",
    ]).ended;
    expect(broken.out.trim()).toBe("141");
  });

  test("does not see the value in any argument of any process", async () => {
    const { child, ended, output } = start(how, ["sh", "-c", "echo ready; sleep 0.5"]);
    await expect.poll(output, { timeout: 20_000 }).toContain("ready");
    expect(readFileSync(`/proc/${child.pid}/cmdline`, "latin1")).not.toContain(value);
    await ended;
  });
});

describe("plain", () => {
  test("the command replaces the program: the same process, nothing beside it", async () => {
    const { child, ended } = start("plain", ["sh", "-c", "echo $$"]);
    expect((await ended).out.trim()).toBe(String(child.pid));
  });

  test("a kill -9 of the program is one of the command", async () => {
    const { child, ended, output } = start("plain", ["sh", "-c", "echo $$; exec sleep 60"]);
    await expect.poll(output, { timeout: 20_000 }).toMatch(/\d/);
    child.kill("SIGKILL");
    expect((await ended).signal).toBe("SIGKILL");
    expect(isRunning(Number(output()))).toBe(false);
  });
});

describe("filtered", () => {
  test("both streams are filtered, and neither delays the other", async () => {
    const script = 'echo "out $VALUE"; echo "err $VALUE" >&2; printf %s "$VALUE" | base64';
    const { out, err } = await start("filtered", ["sh", "-c", script]).ended;
    expect(out).toMatch(/^out \[redacted\]\n\[redacted\].{0,3}\n$/);
    expect(err).toBe("err [redacted]\n");
  });

  test("a value that comes in two writes is filtered, and a line is not held back", async () => {
    const script = 'printf a-sec; sleep 0.3; printf "ret-value\\nline\\n"; sleep 2; echo end';
    const { ended, output } = start("filtered", ["sh", "-c", script]);
    await expect.poll(output, { timeout: 20_000 }).toBe("[redacted]\nline\n");
    expect((await ended).out).toBe("[redacted]\nline\nend\n");
  });

  test("a kill -9 of the program: the command ends by its broken pipe", async () => {
    const script = "echo $$; while :; do echo more; sleep 0.05; done";
    const { child, ended, output } = start("filtered", ["sh", "-c", script]);
    await expect.poll(output, { timeout: 20_000 }).toMatch(/^\d+\n/);
    const pid = Number.parseInt(output(), 10);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });

  test("what a command leaves in the background does not hold the program for ever", async () => {
    const started = performance.now();
    const { code } = await start("filtered", ["sh", "-c", "sleep 30 & echo started; exit 3"]).ended;
    expect(code).toBe(3);
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test("what it said at its end reaches a reader that is slow", () => {
    const slow = `
const { readSync } = require("node:fs");
const [buffer, clock] = [Buffer.alloc(65536), new Int32Array(new SharedArrayBuffer(4))];
let total = 0;
for (let read = -1; read !== 0; total += read) {
  if (total > 150_000 && total < 420_000) Atomics.wait(clock, 0, 0, 3000);
  read = readSync(0, buffer);
}
console.log(total);`;
    const line = `"$0" "$1" filtered sh -c 'printf %0450000d 0' | "$0" -e '${slow}'`;
    const { stdout } = spawnSync("sh", ["-c", line, process.execPath, runner], {
      env,
      encoding: "utf8",
    });
    expect(stdout).toBe("450000\n");
  });

  test("its output is a pipe: it opens as /dev/stdout, and breaks as one", async () => {
    const script = "echo out > /dev/stdout; echo err | tee /dev/stderr > /dev/null";
    expect(await start("filtered", ["sh", "-c", script]).ended).toMatchObject({
      out: "out\n",
      err: "err\n",
    });
    const line = `"$0" "$1" filtered yes | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout } = spawnSync("bash", ["-c", line, process.execPath, runner], {
      env,
      encoding: "utf8",
    });
    expect(stdout).toBe("y\n141\n");
  });

  test("a signal that ended it ends the program by the same, for the shell around it", async () => {
    for (const signal of ["INT", "TERM", "HUP"] as const) {
      const end = await start("filtered", ["sh", "-c", `echo out; kill -${signal} $$`]).ended;
      expect(end).toMatchObject({ code: null, signal: `SIG${signal}`, out: "out\n" });
    }
    expect((await start("filtered", ["sh", "-c", "kill -KILL $$"]).ended).code).toBe(137);
  });

  test("a chunk full of values is filtered in time that grows with its length alone", async () => {
    const redactor = createRedactor(formsOf("abcd"));
    const begun = process.cpuUsage();
    redactor.resume().end(Buffer.from("abcd\n".repeat(400_000)));
    await new Promise((resolve) => redactor.once("end", resolve));
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(5_000);
  });

  test("a reader that goes away ends the command by its broken pipe", async () => {
    const line = `"$0" "$1" filtered sh -c 'while :; do echo more; done' | head -1`;
    const { stdout } = spawnSync("sh", ["-c", line, process.execPath, runner], {
      env,
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(stdout).toBe("more\n");
  });
});

function onTerminal(steps: readonly string[], how: string, script: string): string {
  return inPty(steps, [process.execPath, runner, how, "bash", "--norc", "-c", script], env);
}

describe.each(["plain", "filtered"])("on a terminal, %s", (how) => {
  test.skipIf(lackingPty !== "")(`Ctrl-C reaches the command once${lackingPty}`, () => {
    // Python counts each signal; a shell would take two that come together for one.
    const count = "global n, end; n += 1; end = time.time() + 1; os.write(1, b'hit %d\\n' % n)";
    const script = `exec python3 -c "
import os, signal, sys, time
n, end = 0, time.time() + 20
def hit(*_):
    ${count}
signal.signal(signal.SIGINT, hit)
os.write(1, b'ready\\n')
while time.time() < end: time.sleep(0.01)
sys.exit(9)"`;
    const out = onTerminal(["until:ready", "type:\\x03", "until:hit"], how, script);
    expect(out).toContain("hit 1");
    expect(out).not.toContain("hit 2");
    expect(out).toContain("exit 9");
  });

  test.skipIf(lackingPty !== "")(
    `Ctrl-C ends a command that does nothing about it${lackingPty}`,
    () => {
      const out = onTerminal(["until:ready", "type:\\x03"], how, "echo ready; sleep 30");
      expect(out).toMatch(/exit (?:130|signal 2)/);
    },
  );

  // Job control needs a shell that does it: the kernel stops nothing whose parent could not go on
  // with it.
  test.skipIf(lackingPty !== "")(
    `Ctrl-Z stops it, fg goes on, and the shell has its exit code${lackingPty}`,
    () => {
      const command = `node ${runner} ${how} sh -c 'printf "%s%s\\\\n" rea dy; sleep 4; echo done; exit 4'`;
      const steps = [
        `type:PATH=${dirname(process.execPath)}:$PATH ${command}; echo rc=$?\\n`,
        "until:ready",
        "wait:0.5", // A shell that is just starting sleep by vfork(2) would not stop.
        "type:\\x1a",
        "until:Stopped",
        "until:rc=14", // 148: the shell is back.
        "type:fg; echo rc=$?\\n",
        "until:rc=4",
        "type:exit\\n",
      ];
      const out = inPty(steps, ["bash", "--norc", "-i"], env);
      expect(out).toContain("Stopped");
      expect(out).toMatch(/done\s+rc=4/);
    },
  );

  test.skipIf(lackingPty !== "")(`the command reads from the terminal${lackingPty}`, () => {
    const out = onTerminal(
      ["until:name", "type:ada\\n", "until:hello"],
      how,
      'echo name; read -r n < /dev/tty; echo "hello $n"',
    );
    expect(out).toContain("hello ada");
  });
});

test.skipIf(lackingPty !== "")(
  `plain, the command's output is the terminal; filtered, it is not${lackingPty}`,
  () => {
    expect(
      onTerminal(["until:tty"], "plain", "test -t 1 && echo is a tty || echo no tty"),
    ).toContain("is a tty");
    expect(
      onTerminal(["until:tty"], "filtered", "test -t 1 && echo is a tty || echo no tty"),
    ).toContain("no tty");
  },
  60_000,
);
