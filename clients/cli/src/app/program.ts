import { version } from "@sallyport/client/version";
import { Command, CommanderError } from "commander";
import { type Entry, catalogue, entryOf, groups } from "./catalogue.ts";
import { type Run, addGlobalOptions, commandOf, stubOf } from "../definition/build.ts";
import { globalsOf } from "../definition/globals.ts";
import { asksForHelp, asksForJson, commandWords, globalsIn } from "../definition/words.ts";
import { type Explanation, UsageError, explain, explanationLines } from "./failure.ts";
import { meantBy } from "./familiar-words.ts";
import { safeJson, sanitise } from "../terminal/sanitise.ts";
import { createScreen } from "../terminal/screen.ts";
import { terminalOf } from "../terminal/terminal.ts";
import { wrap } from "../terminal/wrap.ts";

const environment = `
Environment:
  SALLYPORT_URL               where the gateway answers; an identity knows it, unless it moved
  SALLYPORT_CA                PEM file of the gateway's CA, when the system does not know it
  SALLYPORT_ENROLLMENT_TOKEN  token for enroll and token check
  SALLYPORT_IDENTITY          identity file to use instead of those under ~/.config/sallyport
  SALLYPORT_VAULT             vault to act in, by id or name
  HTTPS_PROXY, NO_PROXY       proxy on the way to the gateway, and what is reached without it
  SSL_CERT_FILE               CAs to trust instead of the system's, without SALLYPORT_CA
  NO_COLOR                    no colours

Exit codes: 0 done, 1 unexpected, 2 usage, 3 refused, 4 identity, 5 not found or conflict,
6 unavailable, 130 stopped. "run" returns its command's; 125 for its own failures, 126 when the
command cannot be started, 127 when it is missing.
"sallyport help COMMAND" shows a command with examples.`;

const completionMs = 1_000;

/**
 * Runs one command line and returns its exit code. Errors go to standard error, with the next step.
 */
export async function run(args: readonly string[]): Promise<number> {
  const [first, ...others] = args;
  if (first === "__complete") return complete(others);
  const asked = first === "help" ? [...others, "--help"] : [...args];
  try {
    return await runParsed(helpAboutCommands(asked, first === "help"));
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const explanation = explain(
      error instanceof CommanderError ? usageErrorOf(error, asked) : error,
    );
    report(explanation, asksForJson(asked));
    return exitCodeOf(explanation, asked);
  }
}

// The codes of the program that is run are its own: errors of this one have codes of their own, as
// env(1) does.
function exitCodeOf({ exitCode }: Explanation, asked: readonly string[]): number {
  const [command] = commandWords(asked);
  return command === "run" && exitCode < 126 ? 125 : exitCode;
}

/**
 * The command line, unless it asks for help about what is no command: then that is refused like the
 * command itself. Throws UsageError for more words than a command has.
 */
function helpAboutCommands(asked: string[], byWord: boolean): string[] {
  if (!asksForHelp(asked)) return asked;
  const words = commandWords(asked);
  const [noun, verb] = words;
  const entry = entryOf(words);
  if (noun === undefined || (verb === undefined && Object.hasOwn(groups, noun))) return asked;
  if (!entry) return asked.filter((word) => word !== "--help" && word !== "-h");
  if (byWord && verb !== undefined && !entry.path.includes(" "))
    throw new UsageError(
      `${noun} has no second word`,
      `"sallyport help ${noun}" shows how it is used`,
    );
  return asked;
}

// Called by the completion scripts; it is in no list.
async function complete([shell, ...words]: readonly string[]): Promise<number> {
  const { shells } = await import("../completion/scripts.ts");
  const { completionLines } = await import("../completion/complete.ts");
  const { createContext } = await import("./context.ts");
  const known = shells.find((each) => each === shell);
  if (known === undefined) return 2;
  const globals = globalsIn(words);
  const context = createContext(process.env, { ...globals, timeoutMs: completionMs, json: true });
  const lines = await completionLines(known, words, context);
  terminalOf("stdout", process.env).write(`${lines.join("\n")}\n`);
  return 0;
}

async function runParsed(args: string[]): Promise<number> {
  const entry = entryOf(commandWords(args));
  const command = await entry?.load();
  let exitCode = 0;
  const call: Run = async (values) => {
    const { createContext } = await import("./context.ts");
    const context = createContext(process.env, globalsOf(values.options));
    const screen = createScreen(terminalOf("stdout", process.env));
    await command?.call(values, context, {
      screen,
      json: printJson,
      wantsJson: context.globals.json,
    });
    ({ exitCode } = context);
  };
  const loaded = entry && command ? { entry, command: commandOf(entry, command, call) } : undefined;
  await programWith(loaded).parseAsync(args, { from: "user" });
  return exitCode;
}

/** The whole program for the parser: one command in full, the others by name. */
function programWith(loaded: { entry: Entry; command: Command } | undefined): Command {
  const program = new Command("sallyport")
    .description("Secrets for machines that prove who they are on every request")
    .version(version, "-V, --version", "print the version")
    .usage("COMMAND [options]")
    .enablePositionalOptions()
    .helpCommand(false)
    .addHelpText("after", environment);
  addGlobalOptions(program, "Options:");
  const parents = new Map(
    Object.entries(groups).map(([name, summary]) => [name, new Command(name).description(summary)]),
  );
  for (const entry of catalogue) {
    const [noun = "", verb] = entry.path.split(" ");
    const command = entry === loaded?.entry ? loaded.command : stubOf(entry);
    const parent = parents.get(noun);
    if (verb === undefined || !parent) {
      program.addCommand(command.helpGroup(`${entry.section}:`));
      continue;
    }
    if (parent.parent === null)
      program.addCommand(parent.helpGroup(`${entry.section}:`).helpCommand(false));
    parent.addCommand(command);
  }
  prepare(program);
  return program;
}

function prepare(command: Command): void {
  command
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => terminalOf("stdout", process.env).write(text),
      outputError: () => undefined,
      writeErr: () => undefined,
    });
  for (const child of command.commands) prepare(child);
}

/** The parser's refusal in our words: what is wrong, and the probable intention. */
function usageErrorOf(error: CommanderError, args: readonly string[]): UsageError {
  const words = commandWords(args);
  const entry = entryOf(words);
  const [noun = ""] = words;
  const scope = entry?.path ?? (Object.hasOwn(groups, noun) ? noun : undefined);
  const help =
    scope === undefined
      ? '"sallyport help" shows the commands'
      : `"sallyport help ${scope}" shows how it is used`;
  if (error.code === "commander.help") {
    const missing = scope === undefined ? "no command was given" : `${scope} needs a second word`;
    return new UsageError(missing, help);
  }
  const [message = "", suggestion] = withoutTyped(error)
    .replace(/^error: /, "")
    .split("\n");
  const known = error.code === "commander.unknownCommand" ? meantBy(words) : undefined;
  if (known !== undefined) return new UsageError(message, known);
  const meant = /Did you mean (?:one of )?(.+)\?/.exec(suggestion ?? "")?.[1];
  return new UsageError(message, meant === undefined ? help : `did you mean ${meant}? ${help}`);
}

// Security: what was typed at the wrong position may be a value or a token, and this line ends up
// in the job's log.
function withoutTyped({ code, message }: CommanderError): string {
  if (code === "commander.excessArguments") return message.replace(/(but got \d+): .*$/s, "$1");
  if (code === "commander.unknownOption")
    return message.replace(/(?<=option '[^'=]*)=[^]*?'/, "=…'");
  return message;
}

function report(explanation: Explanation, json: boolean): void {
  const { reason, message, next, metadata, vouched } = explanation;
  const terminal = terminalOf("stderr", process.env);
  if (json)
    return terminal.write(
      `${safeJson({ error: { reason, message, next, metadata, vouched } }, 2)}\n`,
    );
  const [what = "", todo = ""] = explanationLines(explanation).map((line, index) =>
    wrap(sanitise(line), terminal.width, index === 0 ? "  " : "    ").join("\n"),
  );
  terminal.write(`${terminal.paint("red", what)}\n${todo}\n`);
}

function printJson(value: unknown, lines: boolean): void {
  terminalOf("stdout", process.env).write(`${safeJson(value, lines ? undefined : 2)}\n`);
}
