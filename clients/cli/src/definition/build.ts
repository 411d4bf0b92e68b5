import { Command, Option as CommanderOption } from "commander";
import type { Entry } from "../app/catalogue.ts";
import { UsageError } from "../app/failure.ts";
import type { AnyCommand, CallValues, Example } from "./define.ts";
import { argumentDeclarationOf, declarationOf, flagOf } from "./flags.ts";
import { globalOptions } from "./globals.ts";
import type { Option } from "./options.ts";
import type { Shape } from "./shape.ts";

/** Called with what was parsed; the values of global options are among the options. */
export type Run = (values: CallValues) => Promise<void>;

/** A command of which only the name and summary are known yet. */
export function stubOf(entry: Entry): Command {
  return named(entry).description(entry.summary);
}

/** The whole command for the parser. */
export function commandOf(entry: Entry, command: AnyCommand, run: Run): Command {
  const built = named(entry).description(descriptionOf(entry, command));
  const keys = Object.keys(command.args);
  for (const [key, argument] of Object.entries(command.args)) {
    built.argument(argumentDeclarationOf(key, argument), argument.summary);
    if (argument.kind === "rest") built.passThroughOptions();
  }
  for (const [key, option] of Object.entries(command.options)) addOption(built, key, option);
  addGlobalOptions(built, "Global options:");
  built.addHelpText("after", () => helpAfter(command));
  return built.action(async (...given: unknown[]) => {
    const args = Object.fromEntries(keys.map((key, index) => [key, given[index]]));
    await run({ args, options: valuesOf(built.optsWithGlobals(), command) });
  });
}

/** Adds the options that every command takes, under a heading of help. */
export function addGlobalOptions(command: Command, heading: string): void {
  for (const [key, option] of Object.entries(globalOptions))
    addOption(command, key, option, heading);
}

function named({ path, also }: Entry): Command {
  const command = new Command(path.split(" ").at(-1) ?? path);
  return also === undefined ? command : command.alias(also);
}

function descriptionOf({ summary }: Entry, { description }: AnyCommand): string {
  return description === undefined ? `${summary}.` : `${summary}.\n\n${description}`;
}

function addOption(command: Command, key: string, option: Option<unknown>, heading?: string): void {
  const built = new CommanderOption(declarationOf(key, option), option.summary);
  if (option.required) built.makeOptionMandatory();
  if (heading !== undefined) built.helpGroup(heading);
  if (option.kind === "value")
    built.argParser((typed: string) => option.read(typed, flagOf(key, option)));
  if (option.kind === "list") {
    built.argParser((typed: string, before: unknown) => [
      ...(Array.isArray(before) ? (before as unknown[]) : []),
      ...asList(option.read(typed, flagOf(key, option))),
    ]);
  }
  command.addOption(built);
}

function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new UsageError("that is not a list");
  return value as unknown[];
}

function valuesOf(
  parsed: Readonly<Record<string, unknown>>,
  { options }: AnyCommand,
): CallValues["options"] {
  const absent: (readonly [string, unknown])[] = Object.entries(options).map(([key, option]) => [
    key,
    option.absent,
  ]);
  // The parser says true for an option that may stand without its value.
  const bare = Object.entries(options).flatMap(([key, option]) =>
    option.bare !== undefined && parsed[key] === true
      ? [[key, option.read(option.bare, flagOf(key, option))] as const]
      : [],
  );
  return { ...Object.fromEntries(absent), ...parsed, ...Object.fromEntries(bare) };
}

function helpAfter({ examples, json }: AnyCommand): string {
  const keys = json === undefined ? [] : ["", `With --json: ${summaryOf(json)}`];
  return ["", "Examples:", ...examples.flatMap(exampleLines), ...keys, ""].join("\n");
}

function exampleLines([command, does]: Example): string[] {
  return [`  # ${does}`, `  ${command}`];
}

function summaryOf(shape: Shape<unknown>): string {
  if (shape.kind === "list" && shape.items) return `[${summaryOf(shape.items)}, …]`;
  return shape.kind === "object" ? `{${Object.keys(shape.keys ?? {}).join(", ")}}` : shape.means;
}
