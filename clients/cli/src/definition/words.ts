import type { Globals } from "../app/context.ts";
import { flagOf } from "./flags.ts";
import { globalOptions, globalsOf } from "./globals.ts";

const takesValue = new Set(
  Object.entries(globalOptions).flatMap(([key, option]) =>
    option.kind === "flag" ? [] : [flagOf(key, option)],
  ),
);

/**
 * The words of a command line that name a command: what comes first besides global options and
 * their values. Reads no further than it must, so that only the command that is used is loaded.
 */
export function commandWords(args: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < args.length && words.length < 2; at += 1) {
    const arg = args[at] ?? "";
    if (arg === "--") break;
    if (takesValue.has(arg)) at += 1;
    else if (!arg.startsWith("-")) words.push(arg);
  }
  return words;
}

/** Tells whether --help is among the options of a command line, likewise. */
export function asksForHelp(args: readonly string[]): boolean {
  const own = ownOf(args);
  return own.includes("--help") || own.includes("-h");
}

/**
 * Tells whether --json is among a command line's options; what comes after -- belongs to another
 * program.
 */
export function asksForJson(args: readonly string[]): boolean {
  return ownOf(args).includes("--json");
}

function ownOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end);
}

/**
 * The global options of a command line that is still being typed, such as --vault, as far as they
 * are there.
 */
export function globalsIn(words: readonly string[]): Globals {
  const valueAfter = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    return at === -1 || at > words.length - 3 ? undefined : words[at + 1];
  };
  return globalsOf({ vault: valueAfter("--vault"), identity: valueAfter("--identity") });
}
