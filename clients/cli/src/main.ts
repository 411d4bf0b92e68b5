import { version } from "@sallyport/client/version";

/** Runs one command line and returns its exit code. What asks for the version alone loads nothing else. */
export async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (args.length === 1 && (first === "--version" || first === "-V")) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const { run } = await import("./program.ts");
  return run(args);
}
