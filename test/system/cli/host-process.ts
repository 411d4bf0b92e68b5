import { writeSync } from "node:fs";
import { Readable } from "node:stream";
import { main } from "@sallyport/cli/main";
import type { HostedCall } from "./host.ts";

// Runs the command line's own entry again and again, each time with the arguments, environment and
// standard input of one call. What it prints goes to this process's own streams, then the mark.
process.on("message", (call: HostedCall) => void answer(call));

async function answer({ args, env, input, mark }: HostedCall): Promise<void> {
  process.env = { ...env };
  const stdin = Readable.from([Buffer.from(input, "base64")], { objectMode: false });
  Object.defineProperty(process, "stdin", { configurable: true, value: stdin });
  const code = await main(args);
  process.stdout.write(mark, () => {
    writeSync(2, mark);
    process.send?.(code);
  });
}
