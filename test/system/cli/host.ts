import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** One call of the command line, as it is sent to the process that hosts it. */
export type HostedCall = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Standard input, in base64. */
  readonly input: string;
  /** Printed on both outputs after what the call prints. */
  readonly mark: string;
};

/** The result of a hosted call. */
export type HostedRun = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: Buffer;
  readonly err: Buffer;
};

/**
 * A process that runs calls of the command line one after another, by its own entry. To start Node
 * and to load the program takes longer than most calls do; in a suite of hundreds that is minutes.
 */
export type CliHost = Disposable & {
  /** Tells whether a call can be hosted now; one that replaces or outlives its process cannot. */
  takes(args: readonly string[], env: Readonly<Record<string, string>>): boolean;
  run(call: Omit<HostedCall, "mark">): Promise<HostedRun>;
};

const program = fileURLToPath(new URL("host-process.ts", import.meta.url));
// These replace their process, stay up, or are about the process itself.
const alone = new Set(["run", "proxy", "tail", "__complete"]);
// Node reads these once, at its start.
const readByNode = /^(?:NODE|SSL)_/;

/** Makes a host; its process starts with the first call. */
export function createCliHost(): CliHost {
  let child: ChildProcess | undefined;
  let isBusy = false;
  const started = (): ChildProcess => {
    if (child?.connected) return child;
    child = fork(program, { silent: true, execArgv: [], serialization: "json" });
    return child;
  };
  return {
    takes: (args, env) =>
      !isBusy &&
      !args.some((arg) => alone.has(arg)) &&
      !Object.keys(env).some((name) => readByNode.test(name)),
    async run(call) {
      isBusy = true;
      try {
        return await hosted(started(), call);
      } finally {
        isBusy = false;
      }
    },
    [Symbol.dispose]: () => void child?.kill(),
  };
}

async function hosted(host: ChildProcess, call: Omit<HostedCall, "mark">): Promise<HostedRun> {
  const mark = randomUUID();
  const ended = Promise.withResolvers<Pick<HostedRun, "code" | "signal">>();
  const closed = Promise.withResolvers<void>();
  const onClose = (code: number | null, signal: NodeJS.Signals | null): void => {
    ended.resolve({ code, signal });
    closed.resolve();
  };
  const onMessage = (code: unknown): void => ended.resolve({ code: Number(code), signal: null });
  host.once("close", onClose).once("message", onMessage);
  const printed = Promise.all([
    printedUntil(host.stdout, mark, closed.promise),
    printedUntil(host.stderr, mark, closed.promise),
  ]);
  host.send({ ...call, mark });
  const [[out, err], end] = await Promise.all([printed, ended.promise]);
  host.off("close", onClose).off("message", onMessage);
  return { ...end, out, err };
}

/** The bytes of a stream before the mark, or before its process ends. */
function printedUntil(
  stream: Readable | null,
  mark: string,
  closed: Promise<void>,
): Promise<Buffer> {
  let printed: Buffer = Buffer.alloc(0);
  return new Promise((resolve) => {
    const finish = (): void => {
      stream?.off("data", take);
      const end = printed.indexOf(mark);
      resolve(end === -1 ? printed : printed.subarray(0, end));
    };
    const take = (chunk: Buffer): void => {
      printed = Buffer.concat([printed, chunk]);
      if (printed.includes(mark)) finish();
    };
    stream?.on("data", take);
    void closed.then(finish);
  });
}
