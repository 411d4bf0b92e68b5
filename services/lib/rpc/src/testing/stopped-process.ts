import { untilStopped } from "../stopped.ts";

// Run by stopped.test.ts: exits with 7 when it was asked to stop.
const stopped = untilStopped();
const alive = setInterval(() => undefined, 1_000);
process.send?.("started");
await stopped;
clearInterval(alive);
process.exitCode = 7;
if (process.connected) process.disconnect?.();
