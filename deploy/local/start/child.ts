import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "../host/account.ts";
import { CommandError, lastSentence } from "../host/command.ts";
import type { Layout, Process } from "../data/layout.ts";
import { type Program, clone, programFolders } from "./program.ts";
import { requireProgram } from "../host/system-program.ts";

/** One of the six processes while it runs. */
export type Child = {
  readonly name: Process;
  readonly pid: number;
  /** Resolves with a sentence when the process ends. */
  readonly ended: Promise<string>;
  /** Asks it to drain and waits; kills it after 10 seconds. */
  stop(): Promise<void>;
};

const startMs = 30_000;
const stopMs = 10_000;
const tailBytes = 8192;

const entry: Readonly<Record<Process, string>> = {
  audit: "services/audit/src/main.ts",
  crypto: "services/crypto/src/main.ts",
  policy: "services/policy/src/main.ts",
  secrets: "services/secrets/src/main.ts",
  identity: "services/identity/src/main.ts",
  gateway: "gateway/src/main.ts",
};

// Security: a process reads the program and its own folder, writes nothing, and starts nothing. The
// Postgres and Redis sockets are reached as network, not as files.
function permissions(name: Process, layout: Layout, { root }: Program): string[] {
  const code = [...programFolders, "package.json"].map((path) => join(root, path));
  // The loader of native modules looks there to find out which C library it has.
  const readable = [...code, "/etc/alpine-release", layout.folder(name)].map(
    (path) => `--allow-fs-read=${path}`,
  );
  return [
    "--permission",
    "--allow-addons",
    "--allow-net",
    ...readable,
    "--disable-proto=throw",
    "--disable-sigusr1",
    "--disable-warning=SecurityWarning",
    "--disable-warning=ExperimentalWarning",
  ];
}

/** Options of starting one process. */
export type ChildOptions = {
  readonly name: Process;
  /** The loopback port that it answers on once it has started. */
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly layout: Layout;
  /** The user that it runs as, without other groups; this process's own user unless given. */
  readonly account?: Account | undefined;
  /** The program to run (default: the clone). */
  readonly program?: Program;
  /** Time until the port must answer, in milliseconds (default 30,000). */
  readonly patienceMs?: number;
};

/**
 * Starts a process and resolves once its port answers. Rejects with CommandError, the process being
 * stopped, when it ends before or does not answer in time.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, port, patienceMs = startMs } = options;
  const child = launch(options);
  const output = followOutput(child, name, options.layout);
  let over = false;
  void output.ended.then(() => (over = true));
  const isUp = await answers(port, patienceMs, () => over);
  if (over) throw new CommandError(`${name} did not start: ${await output.ended}`);
  if (!isUp) {
    await stop(child, output.ended);
    const seconds = patienceMs / 1000;
    throw new CommandError(`${name} did not start in ${seconds} s: ${output.lastSentence()}`);
  }
  return {
    name,
    pid: child.pid ?? 0,
    ended: output.ended,
    stop: () => stop(child, output.ended),
  };
}

function launch({ name, env, layout, account, program = clone }: ChildOptions): ChildProcess {
  const { root, node, gid } = program;
  const command = [node, ...permissions(name, layout, program), join(root, entry[name])];
  const isShared = account === undefined || gid === undefined;
  // Node gives a process no other groups, so that of a program which only it may read needs a
  // program of the system.
  const asUser = isShared ? [] : switchUser(account, gid);
  // Security: no core dump, which would hold keys. The shell sets the limit and is the process that
  // it becomes.
  return spawn("/bin/sh", ["-c", 'ulimit -c 0 && exec "$0" "$@"', ...asUser, ...command], {
    ...(isShared ? account : {}),
    cwd: root,
    env: { ...env, NODE_ENV: "production" },
    // The channel tells the process that its supervisor died, even by kill -9.
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true, // Ctrl-C is for the supervisor, which stops the six in order.
  });
}

function switchUser({ uid, gid }: Account, group: number): string[] {
  const setpriv = requireProgram("setpriv");
  return [
    setpriv,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    `--groups=${group}`,
    "--inh-caps=-all",
    "--",
  ];
}

type Output = { readonly ended: Promise<string>; lastSentence(): string };

function followOutput(child: ChildProcess, name: Process, layout: Layout): Output {
  // Opened at once: a process that ends soon may take its folder with it before a stream has opened
  // its file.
  const path = join(layout.logs, `${name}.log`);
  const log = createWriteStream(path, { fd: openSync(path, "a", 0o600) });
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      log.write(text);
      tail = (tail + text).slice(-tailBytes);
    });
  }
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      log.end();
      resolve(
        code === 0 ? "it stopped" : signal ? `it was ended by ${signal}` : lastSentence(tail),
      );
    });
  });
  return { ended, lastSentence: () => lastSentence(tail) };
}

async function answers(port: number, patienceMs: number, isOver: () => boolean): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (!isOver() && performance.now() < deadline) {
    if (await accepts(port)) return true;
    await sleep(25);
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await ended;
  clearTimeout(killer);
}
