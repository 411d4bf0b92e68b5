import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaultUidBase } from "../host/account.ts";

/** The options of a start. */
export type StartOptions = {
  readonly data: string;
  readonly port: number;
  readonly uidBase: number;
  readonly demo: "then-stay" | "only" | "none";
};

/** Says what is wrong with the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The text of --help; deploy/start.sh prints it too, before anything is installed. */
export const usage = readFileSync(join(import.meta.dirname, "usage.txt"), "utf8");

/** Reads the command line; undefined asks for help. UsageError names what is wrong. */
export function readOptions(args: readonly string[]): StartOptions | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port ${values.port} is not a port: use 0 to 65535`);
  const uidBase = Number(values["uid-base"]);
  if (!Number.isInteger(uidBase) || uidBase < 1000 || uidBase > 2 ** 31)
    throw new UsageError(`--uid-base ${values["uid-base"]} is no user id: use 1000 to 2147483648`);
  if (values["no-demo"] && (values.demo || values["demo-only"]))
    throw new UsageError("--no-demo excludes --demo and --demo-only");
  const demo = values["demo-only"] ? "only" : values.demo ? "then-stay" : "none";
  // Without --data the state stays beside the program, wherever it is started from.
  const data =
    values.data === undefined ? resolve(".sallyport") : resolve(values.caller, values.data);
  return { data, port, uidBase, demo };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: "string" },
        port: { type: "string", default: "8443" },
        "uid-base": { type: "string", default: String(defaultUidBase) },
        demo: { type: "boolean", default: false },
        // Accepted for compatibility: it is the default now, and was not in earlier versions.
        "no-demo": { type: "boolean", default: false },
        "demo-only": { type: "boolean", default: false },
        // The caller's working directory, the base of relative paths. Set by start.sh.
        caller: { type: "string", default: "." },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${why}; see --help`);
  }
}
