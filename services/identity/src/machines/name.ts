import { newIdBody } from "@sallyport/proto/ids";
import { type Glob, GlobError, parseGlob } from "../tokens/glob.ts";

/**
 * The naming rule of an admission: any name, one that matches, or one that is made with random
 * characters.
 */
export type NamePattern =
  | { readonly kind: "any" }
  | { readonly kind: "glob"; readonly glob: Glob }
  | { readonly kind: "template"; readonly before: string; readonly after: string };

const form = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const globForm = /^[A-Za-z0-9._*?![\]-]*$/;
const placeholder = "{id8}";
const randomLength = 8;

/**
 * Reads a machine-name pattern; empty is any. Throws GlobError, saying what a person has to change.
 */
export function parseNamePattern(pattern: string): NamePattern {
  if (pattern === "") return { kind: "any" };
  const [before = "", after, ...more] = pattern.split(placeholder);
  if (after === undefined) return { kind: "glob", glob: globOf(pattern) };
  if (more.length > 0) throw new GlobError("has {id8} twice");
  if (!form.test(`${before}${"0".repeat(randomLength)}${after}`))
    throw new GlobError(
      "does not make a machine name: letters, digits, . _ - around {id8}, 128 in all",
    );
  return { kind: "template", before, after };
}

/** Returns whether a pattern makes the names. */
export function makesNames(pattern: string): boolean {
  return pattern.includes(placeholder);
}

/** The sources of a new machine's name: the one asked for or empty, its hostname, its id. */
export type Naming = {
  readonly machineName: string;
  readonly hostname: string;
  readonly machineId: string;
};

/**
 * The name of a new machine under a pattern: one that the pattern makes (with 40 random bits,
 * another each time), else the one asked for, else its hostname when that can be a name, else the
 * end of its id. Undefined when the pattern refuses it; where the pattern makes the name, none may
 * be asked for.
 */
export function nameMachine(pattern: string, naming: Naming): string | undefined {
  const parsed = parseNamePattern(pattern);
  switch (parsed.kind) {
    case "any":
      return nameOf(naming);
    case "glob":
      return parsed.glob.matches(nameOf(naming)) ? nameOf(naming) : undefined;
    case "template":
      return naming.machineName === ""
        ? `${parsed.before}${randomPart()}${parsed.after}`
        : undefined;
    default:
      throw new Error(`unknown pattern ${String(parsed satisfies never)}`);
  }
}

function nameOf({ machineName, hostname, machineId }: Naming): string {
  if (machineName !== "") return machineName;
  return form.test(hostname) ? hostname : `machine-${machineId.slice(-randomLength)}`;
}

function randomPart(): string {
  return newIdBody().slice(0, randomLength);
}

// A character that no name has would make a pattern that no machine can meet.
function globOf(pattern: string): Glob {
  if (!globForm.test(pattern)) throw new GlobError("has a character that no machine name has");
  return parseGlob(pattern);
}
