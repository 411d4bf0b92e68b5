import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { styleText } from "node:util";
import type { Style } from "./table.ts";

/** One output stream as far as it matters for what is written to it. */
export type Terminal = {
  readonly isTerminal: boolean;
  /** The most columns of a line; no limit when no terminal reads it. */
  readonly width: number;
  readonly write: (text: string | Uint8Array) => void;
  /** Colours a text, only for a terminal and never with NO_COLOR. */
  readonly paint: (style: Style, text: string) => string;
};

const descriptors = { stdout: 1, stderr: 2 } as const;

/**
 * The terminal, pipe or file behind standard output or standard error. Nothing here opens Node's
 * own streams before there is output: they would change a pipe that `run` is to hand on untouched.
 */
export function terminalOf(stream: "stdout" | "stderr", env: NodeJS.ProcessEnv): Terminal {
  const isTerminal = isatty(descriptors[stream]);
  const coloured = isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return {
    isTerminal,
    get width() {
      return isTerminal ? process[stream].columns || 80 : Number.MAX_SAFE_INTEGER;
    },
    write: stream === "stdout" ? writeOutput : writeMessage,
    paint: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
  };
}

let opened = false;

function writeOutput(content: string | Uint8Array): void {
  if (!opened) {
    opened = true;
    process.stdout.on("error", endWithoutOutput);
  }
  process.stdout.write(content);
}

// A reader that goes away, as in `sallyport list | head -1`, is no failure; a disk that is full is
// one.
function endWithoutOutput({ code = "unknown error" }: NodeJS.ErrnoException): void {
  if (code === "EPIPE") process.exit(0);
  const next = "make room, or send the output elsewhere";
  writeMessage(
    `sallyport: standard output cannot be written (${code}) [OUTPUT_FAILED]\n  → ${next}\n`,
  );
  process.exit(1);
}

function writeMessage(text: string | Uint8Array): void {
  try {
    writeSync(descriptors.stderr, typeof text === "string" ? Buffer.from(text) : text);
  } catch {
    // Nobody reads it, or not now: a message is not worth failing for.
  }
}
