import { UsageError } from "../app/failure.ts";
import { type Option, list, parseDuration, text } from "./options.ts";

type Hints = Parameters<typeof list>[1];

// Characters that a terminal might interpret or a database cannot store; the servers refuse them
// too.
const controls = /\p{Cc}/u;

/**
 * Refuses a text outside of so many bytes, or with control characters; `what` is how it is called.
 * Throws UsageError.
 */
export function checkText(
  what: string,
  typed: string,
  { min = 0, max }: { readonly min?: number; readonly max: number },
): string {
  const bytes = Buffer.byteLength(typed);
  if (bytes < min || bytes > max)
    throw new UsageError(
      `${what} takes ${min > 0 ? `${min} to` : "at most"} ${max} bytes, not ${bytes}`,
    );
  if (controls.test(typed))
    throw new UsageError(`${what} must not hold control characters or line breaks`);
  return typed;
}

/** An option that takes a text of at most so many bytes; empty when it is not given. */
export function textUpTo(max: number, summary: string, hints: Hints = {}): Option<string> {
  const read: Option<string>["read"] = (typed, flag) => checkText(flag, typed, { max });
  return { ...text(summary, { default: "", ...hints }), read };
}

/** An option that takes a duration within bounds, in seconds, and has a value without it. */
export function durationWithin(
  absent: string,
  summary: string,
  { min, max }: { readonly min: string; readonly max: string },
  hints: Hints = {},
): Option<number> {
  const read: Option<number>["read"] = (typed, flag) => {
    const seconds = parseDuration(typed);
    if (seconds < parseDuration(min) || seconds > parseDuration(max))
      throw new UsageError(`${flag} takes ${min} to ${max}, not ${typed}`);
    return seconds;
  };
  const said = `${summary}, ${min} to ${max} (${absent} if not given)`;
  return {
    ...text(said, { default: "", value: "duration", ...hints }),
    absent: parseDuration(absent),
    read,
  };
}

/** An option that takes some of these words, separated by commas or given several times. */
export function words<const T extends string>(
  summary: string,
  known: readonly T[],
  hints: Hints = {},
): Option<readonly T[]> {
  const every = list(summary, hints);
  const read: Option<readonly T[]>["read"] = (typed, flag) =>
    every.read(typed, flag).map((item) => {
      const word = known.find((each) => each === item);
      if (word === undefined)
        throw new UsageError(`${flag} takes ${known.join(", ")}, not "${item}"`);
      return word;
    });
  return {
    ...every,
    value: known.join("|"),
    complete: { words: known },
    ...hints,
    absent: [],
    read,
  };
}

/** The reason that goes with a change: at most 500 bytes. */
export const reasonOption = textUpTo(500, "why, kept in the record: at most 500 bytes");
