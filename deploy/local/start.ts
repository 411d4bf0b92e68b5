import { join } from "node:path";
import { metricsPorts } from "./start/settings.ts";
import { type StartOptions, UsageError, readOptions, usage } from "./start/options.ts";
import { wayIn } from "./ceremony/owner.ts";
import { createScreen, shellWord } from "./start/screen.ts";
import { type System, startSystem } from "./start/system.ts";
import { walkMainJob } from "./demo/walk.ts";

const screen = createScreen();

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
}

function explainLogin({ url, edgeCaFile, owner, separated }: System): void {
  screen.say(`\nThe API listens at ${url}`);
  screen.say(
    separated
      ? "Each process runs as a user of its own: none can read the keys of another.\n"
      : "All six processes run as your user, which isolates none of them; started by root, each " +
          "has a user of its own.\n",
  );
  screen.say(`  export SALLYPORT_URL=${url}`);
  screen.say(`  export SALLYPORT_CA=${shellWord(edgeCaFile)}`);
  screen.say(`  ${wayIn(owner)}`);
  screen.say("  npx sallyport --help\n");
}

function explainMetrics({ operator, addresses }: System): void {
  const ports = [...metricsPorts(addresses)].map(([name, port]) => `${name} ${port}`).join(", ");
  const [caFile, certFile, keyFile] = [operator.caFile, operator.certFile, operator.keyFile].map(
    shellWord,
  );
  screen.say(`Metrics for Prometheus at https://localhost:PORT/metrics: ${ports}`);
  screen.say(`  curl --cacert ${caFile} --cert ${certFile} --key ${keyFile} \\`);
  screen.say(`    https://localhost:${addresses.probe}/metrics\n`);
}

async function start({ data, port, uidBase, demo }: StartOptions): Promise<void> {
  const stopped = stopSignal();
  const failed = Promise.withResolvers<string>();
  const system = await startSystem({
    data,
    port,
    uidBase,
    tracing: {
      otlpUrl: process.env["SALLYPORT_OTLP_URL"],
      traceRatio: process.env["SALLYPORT_TRACE_RATIO"],
    },
    step: screen.step,
    onEnd: (name, sentence) =>
      failed.resolve(
        `${name} ended (${sentence}): ${join(data, "logs", `${name}.log`)} says why; ` +
          "everything is stopped",
      ),
    onNotice: (sentence) => screen.say(`! ${sentence}`),
  });
  try {
    screen.say(`\nRoot fingerprint: ${system.rootFingerprint}`);
    if (demo !== "none") {
      screen.say("\nThe main job, once:\n");
      await walkMainJob(system, screen);
    }
    if (demo === "only") return;
    explainLogin(system);
    explainMetrics(system);
    screen.say("Ctrl-C stops everything.");
    const failure = await Promise.race([stopped, failed.promise]);
    if (failure !== undefined) throw new Error(failure);
  } finally {
    await screen.step("stop everything", async () => system[Symbol.asyncDispose]());
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await start(options);
  else process.stdout.write(usage);
} catch (error) {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
