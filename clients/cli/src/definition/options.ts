import { UsageError } from "../app/failure.ts";
import type { CompletionSource } from "../completion/sources.ts";

/** Hints of an option or argument: its completion, and the name of its value in help. */
type Hints = {
  readonly value?: string;
  readonly complete?: CompletionSource;
  readonly short?: string;
};

/** An option of a command: what it is for, and how its text becomes a value. */
export type Option<T> = Hints & {
  readonly kind: "value" | "list" | "flag" | "unless";
  readonly summary: string;
  readonly required: boolean;
  /** The text that is read when it is typed without a value; undefined when it takes one. */
  readonly bare?: string;
  /** The value when the option is not given. */
  readonly absent: T | undefined;
  /** Reads what was typed; throws UsageError. */
  read(text: string, flag: string): T;
};

/** An argument of a command. */
export type Argument<T> = Hints & {
  readonly kind: "required" | "optional" | "several" | "any" | "rest";
  readonly summary: string;
  /** Never read: it carries the type of the value. */
  readonly type?: T;
};

/** An option that always has a value: it is required, or has a default. */
type Given<T> = { readonly required: true } | { readonly default: T };

type Details<T> = Hints & {
  readonly required?: boolean;
  readonly default?: T;
  readonly bare?: string;
};

function value<T>(
  summary: string,
  { required = false, default: absent, ...hints }: Details<T>,
  read: Option<T>["read"],
): Option<T | undefined> {
  return { kind: "value", summary, required, absent, read, ...hints };
}

/** An option that takes a text. */
export function text(summary: string, details: Hints & Given<string>): Option<string>;
export function text(summary: string, details?: Hints): Option<string | undefined>;
export function text(summary: string, details: Details<string> = {}): Option<string | undefined> {
  return value(summary, details, (typed) => typed);
}

type Bounds = { readonly min: number; readonly max: number };

function integerIn({ min, max }: Bounds): Option<number>["read"] {
  return (typed, flag) => {
    const number = /^\d{1,15}$/.test(typed) ? Number(typed) : Number.NaN;
    if (!(number >= min && number <= max))
      throw new UsageError(`${flag} takes a number from ${min} to ${max}`);
    return number;
  };
}

/**
 * An option that takes a whole number within bounds; with `bare` it may be typed without a number
 * and stands for that one.
 */
export function integer(
  summary: string,
  bounds: Bounds,
  details: Hints & Given<number>,
): Option<number>;
export function integer(
  summary: string,
  bounds: Bounds,
  details?: Hints & { readonly bare?: string },
): Option<number | undefined>;
export function integer(
  summary: string,
  bounds: Bounds,
  details: Details<number> = {},
): Option<number | undefined> {
  return value(summary, { value: "number", ...details }, integerIn(bounds));
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads "90s", "15m", "12h" or "30d" as whole seconds; UsageError for anything else. */
export function parseDuration(typed: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(typed) ?? [];
  const size = unitSeconds[unit ?? ""];
  if (count === undefined || size === undefined)
    throw new UsageError(`"${typed}" is not a duration: write 90s, 15m, 12h or 30d`);
  return Number(count) * size;
}

/**
 * Reads "2026-03-14", "2026-03-14T15:09:26Z" or how long ago, such as "2h", as milliseconds since
 * 1970; UsageError.
 */
export function parseMoment(typed: string, nowMs: number = Date.now()): number {
  if (/^\d{1,9}[smhd]$/.test(typed)) return nowMs - parseDuration(typed) * 1000;
  const form = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
  const ms = form.test(typed) && isDay(typed) ? Date.parse(typed) : Number.NaN;
  if (Number.isNaN(ms))
    throw new UsageError(
      `"${typed}" is not a time: write 2026-03-14, 2026-03-14T15:09:26Z (or +01:00), or how long ` +
        "ago, such as 2h",
    );
  return ms;
}

// Date.parse takes the 30th of February for the 2nd of March.
function isDay(typed: string): boolean {
  const day = typed.slice(0, "2026-03-14".length);
  const ms = Date.parse(day);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** An option that takes a time, or how long ago, and gives it in milliseconds since 1970. */
export function moment(summary: string, hints: Hints = {}): Option<number | undefined> {
  return value(summary, { value: "time", ...hints }, (typed) => parseMoment(typed));
}

/** An option that takes one of some words. */
export function choice<const T extends string>(
  summary: string,
  words: readonly T[],
  details: Hints & { readonly required: true },
): Option<T>;
export function choice<const T extends string>(
  summary: string,
  words: readonly T[],
  details?: Hints,
): Option<T | undefined>;
export function choice<const T extends string>(
  summary: string,
  words: readonly T[],
  details: Details<T> = {},
): Option<T | undefined> {
  const hints = { value: words.join("|"), complete: { words } };
  return value(summary, { ...hints, ...details }, readChoice(words));
}

function readChoice<T extends string>(words: readonly T[]): Option<T>["read"] {
  return (typed, flag) => {
    const word = words.find((each) => each === typed);
    if (word === undefined)
      throw new UsageError(`${flag} takes ${words.join(", ")}, not "${typed}"`);
    return word;
  };
}

/** An option that takes texts, separated by commas or given several times. */
export function list(
  summary: string,
  { required = false, ...hints }: Hints & { readonly required?: boolean } = {},
): Option<readonly string[]> {
  const read = (typed: string, flag: string): readonly string[] => {
    const items = typed.split(",").map((item) => item.trim());
    if (items.includes("")) throw new UsageError(`${flag} has an empty item in "${typed}"`);
    return items;
  };
  return { kind: "list", summary, required, absent: [], read, ...hints };
}

/** An option that takes a text each time it is given; commas are part of it. */
export function repeated(summary: string, hints: Hints = {}): Option<readonly string[]> {
  return { ...list(summary, hints), read: (typed) => [typed] };
}

/** An option that is on when it is given. */
export function flag(summary: string, hints: Hints = {}): Option<boolean> {
  return { kind: "flag", summary, required: false, absent: false, read: () => true, ...hints };
}

/** An option that is called --no-NAME and gives false. */
export function unless(summary: string): Option<boolean> {
  return { kind: "unless", summary, required: false, absent: true, read: () => false };
}

/** An argument that has to be given. */
export function required(summary: string, hints: Hints = {}): Argument<string> {
  return { kind: "required", summary, ...hints };
}

/** An argument that may be left out. */
export function optional(summary: string, hints: Hints = {}): Argument<string | undefined> {
  return { kind: "optional", summary, ...hints };
}

/** All arguments that are left, at least one; options may stand among them. */
export function several(summary: string, hints: Hints = {}): Argument<readonly string[]> {
  return { kind: "several", summary, ...hints };
}

/** The same, or none. */
export function anyNumber(summary: string, hints: Hints = {}): Argument<readonly string[]> {
  return { kind: "any", summary, ...hints };
}

/**
 * All arguments from here on, at least one. What looks like an option among them is not taken as
 * ours.
 */
export function rest(summary: string, hints: Hints = {}): Argument<readonly string[]> {
  return { kind: "rest", summary, ...hints };
}
