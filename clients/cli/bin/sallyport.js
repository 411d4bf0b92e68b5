#!/usr/bin/env node
// JavaScript: Node strips the types of a TypeScript entry (35 ms) before it can use a cache.
import module from "node:module";
import { join } from "node:path";

const [major = 0] = process.versions.node.split(".").map(Number);
if (major < 24) {
  process.stderr.write(
    `sallyport: this is Node ${process.versions.node}, and Node 24 or newer is needed\n` +
      "  → put a newer node first on the PATH: the repository brings one in node_modules/.bin\n",
  );
  process.exitCode = 2;
} else {
  // Security: beside the program, and never in a folder for temporary files or of the user: code is
  // loaded from there, so only those who may change the program may write to it. Where it cannot be
  // written, everything works and starts more slowly.
  module.enableCompileCache?.(join(import.meta.dirname, "..", ".cache"));
  const { withheldStreams } = await import("../src/terminal/withheld-streams.ts");
  const { main } = await withheldStreams(() => import("../src/main.ts"));
  process.exitCode = await main(process.argv.slice(2));
}
