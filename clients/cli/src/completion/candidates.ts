import { type Entry, catalogue, entryOf, groups } from "../app/catalogue.ts";
import type { AnyCommand } from "../definition/define.ts";
import { flagOf } from "../definition/flags.ts";
import { globalOptions } from "../definition/globals.ts";
import type { Argument, Option } from "../definition/options.ts";
import type { CompletionSource } from "./sources.ts";

/** Something to offer, and what it is; the description is for shells that show one. */
export type Candidate = { readonly word: string; readonly description: string };

/**
 * The offer for the last word: these, and files or a command line of its own where the shell
 * knows better.
 */
export type Offer = {
  readonly candidates: readonly Candidate[];
  readonly also: "nothing" | "files" | "command";
};

/** Gives the names of a source. */
export type NamesOf = (source: Exclude<CompletionSource, "files">) => Promise<readonly string[]>;

type Scope = { readonly command: AnyCommand | undefined; readonly words: readonly string[] };

const nothing: Offer = { candidates: [], also: "nothing" };

/** Candidates for the last of these words, which are those after `sallyport`. */
export async function offerFor(words: readonly string[], namesOf: NamesOf): Promise<Offer> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const { entry, rest } = await commandBefore(before);
  const command = await entry?.load();
  if (rest.includes("--")) return { candidates: [], also: "command" };
  const option = optionOf(rest.at(-1), command);
  if (option) return fromSource(option.complete, current, option.kind === "list", namesOf);
  if (!command) return { candidates: matching(commandNames(before), current), also: "nothing" };
  if (current.startsWith("-"))
    return { candidates: matching(optionNames(command), current), also: "nothing" };
  const argument = argumentAt({ command, words: rest });
  return argument ? fromSource(argument.complete, current, false, namesOf) : nothing;
}

async function commandBefore(
  before: readonly string[],
): Promise<{ entry?: Entry; rest: readonly string[] }> {
  const plain = withoutOptions(before);
  const [noun = "", verb] = plain;
  const entry = entryOf(plain);
  if (!entry) return { rest: before };
  const last = entry.path.includes(" ") ? verb : noun;
  return { entry, rest: before.slice(before.indexOf(last ?? "") + 1) };
}

// Global options may stand before the command, each with its value.
function withoutOptions(words: readonly string[], command?: AnyCommand): string[] {
  const plain: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") break;
    if (!word.startsWith("-")) plain.push(word);
    else if (optionOf(word, command)) at += 1;
  }
  return plain;
}

function commandNames(before: readonly string[]): Candidate[] {
  const [noun] = withoutOptions(before);
  if (noun === undefined || noun === "help") return firstWords();
  return catalogue.flatMap(({ path, summary }) =>
    path.startsWith(`${noun} `)
      ? [{ word: path.slice(noun.length + 1), description: summary }]
      : [],
  );
}

function firstWords(): Candidate[] {
  const single = catalogue.flatMap(({ path, summary }) =>
    path.includes(" ") ? [] : [{ word: path, description: summary }],
  );
  const grouped = Object.entries(groups).map(([word, description]) => ({ word, description }));
  return [...single, ...grouped, { word: "help", description: "Show help" }];
}

function optionsOf(command: AnyCommand | undefined): [string, Option<unknown>][] {
  return [
    ...Object.entries(command?.options ?? {}),
    ...Object.entries<Option<unknown>>(globalOptions),
  ];
}

/** The option whose value comes after this word, if the word is one that takes a value. */
function optionOf(
  word: string | undefined,
  command: AnyCommand | undefined,
): Option<unknown> | undefined {
  return optionsOf(command).find(
    ([key, option]) =>
      (option.kind === "value" || option.kind === "list") &&
      option.bare === undefined &&
      (word === flagOf(key, option) || (option.short !== undefined && word === option.short)),
  )?.[1];
}

function optionNames(command: AnyCommand): Candidate[] {
  const options = optionsOf(command).map(([key, option]) => ({
    word: flagOf(key, option),
    description: option.summary,
  }));
  return [...options, { word: "--help", description: "show help" }];
}

function argumentAt({ command, words }: Scope): Argument<unknown> | undefined {
  const position = withoutOptions(words, command).length;
  const args = Object.values(command?.args ?? {});
  return (
    args[position] ??
    args.findLast(({ kind }) => kind === "several" || kind === "any" || kind === "rest")
  );
}

async function fromSource(
  source: CompletionSource | undefined,
  current: string,
  isList: boolean,
  namesOf: NamesOf,
): Promise<Offer> {
  if (source === undefined) return nothing;
  if (source === "files") return { candidates: [], also: "files" };
  const names = await namesOf(source);
  // In a list only what comes after the last comma is looked for, and what stands before it stays.
  const done = isList ? current.slice(0, current.lastIndexOf(",") + 1) : "";
  const candidates = names.map((name) => ({ word: done + name, description: "" }));
  return { candidates: matching(candidates, current), also: "nothing" };
}

function matching(candidates: readonly Candidate[], current: string): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(current));
}
