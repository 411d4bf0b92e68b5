import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** A pipe from a child: the descriptor that the child is started with, and what it wrote. */
export type OutputPipe = {
  readonly descriptor: number;
  readonly output: Readable;
  /**
   * Closes this process's own writing end once the child has its copy: else the output would never
   * end.
   */
  handedOver(): void;
};

/**
 * Opens pipes for a child's output. Node's own "pipe" is a socket, which cannot be opened as
 * /dev/stdout and reports ECONNRESET where a pipe raises SIGPIPE; a FIFO that is removed at once is
 * a pipe like any other. Throws when none can be made, as without a folder for temporary files.
 */
export function openOutputPipes(count: number): OutputPipe[] {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-run-"));
  try {
    const paths = Array.from({ length: count }, (_, index) => join(folder, String(index)));
    // An environment that is too large for a program would be so for this one too.
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
    execFileSync("mkfifo", ["-m", "600", ...paths], { stdio: "ignore", env });
    return paths.map(openPipe);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openPipe(path: string): OutputPipe {
  // The reading end first and without waiting, so that neither end waits for the other.
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const descriptor = openSync(path, constants.O_WRONLY);
  const output = new Socket({ fd: reading, readable: true, writable: false });
  return { descriptor, output, handedOver: () => closeSync(descriptor) };
}
