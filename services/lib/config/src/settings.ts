import { readFileSync } from "node:fs";
import type { Setting } from "./read-settings.ts";

/** The address at which a server listens. Port 0 lets the system choose. */
export type ListenAddress = { readonly host: string; readonly port: number };

/** A text, as it is. */
export function text(variable: string): Setting<string> {
  return { variable, read: (value) => value };
}

/** A file or folder path, as it is; nothing is read. */
export function path(variable: string): Setting<string> {
  return text(variable);
}

/**
 * A comma-separated list with at least one entry; spaces around entries are dropped, empty entries
 * refused.
 */
export function list(variable: string): Setting<readonly string[]> {
  return {
    variable,
    read(value) {
      const entries = value.split(",").map((entry) => entry.trim());
      if (entries.includes("")) throw new Error("has an empty entry");
      return entries;
    },
  };
}

/** An address "host:port"; IPv6 hosts stand in brackets. */
export function listen(variable: string): Setting<ListenAddress> {
  return {
    variable,
    read(value) {
      const [, bracketed, plain, digits] =
        /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
      const host = bracketed ?? plain;
      const port = Number(digits);
      if (host === undefined || !(port <= 65_535)) throw new Error("is not host:port");
      return { host, port };
    },
  };
}

/**
 * An https URL without credentials, query or path; returned without a trailing slash. `plain`
 * allows http as well.
 */
export function url(variable: string, { plain = false } = {}): Setting<string> {
  const protocols = plain ? ["https:", "http:"] : ["https:"];
  return {
    variable,
    read(value) {
      const parsed = URL.canParse(value) ? new URL(value) : undefined;
      if (!parsed || !protocols.includes(parsed.protocol) || parsed.href !== `${parsed.origin}/`)
        throw new Error(`is not a URL of the form ${plain ? "http(s)" : "https"}://host:port`);
      return parsed.origin;
    },
  };
}

/** The range of a number, both ends included. */
export type Bounds = { readonly default?: number; readonly min?: number; readonly max?: number };

/** Whole seconds between `min` (0) and `max` (no limit); `default` when absent. */
export function seconds(variable: string, bounds: Bounds = {}): Setting<number> {
  return whole(variable, bounds, "a whole number of seconds");
}

/** A whole number between `min` (0) and `max` (no limit); `default` when absent. */
export function wholeNumber(variable: string, bounds: Bounds = {}): Setting<number> {
  return whole(variable, bounds, "a whole number");
}

function whole(variable: string, bounds: Bounds, what: string): Setting<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  return {
    variable,
    read(value) {
      const amount = Number(value);
      if (!/^\d+$/.test(value) || amount < min || amount > max)
        throw new Error(`is not ${what} from ${min} to ${max}`);
      return amount;
    },
    ...(bounds.default === undefined ? {} : { absent: { value: bounds.default } }),
  };
}

/** A share from 0 (none) to 1 (all), such as 0.05; `default` when absent. */
export function share(variable: string, defaultShare: number): Setting<number> {
  return {
    variable,
    read(value) {
      const amount = Number(value);
      if (!/^[\d.]+$/.test(value) || !(amount <= 1)) throw new Error("is not a number from 0 to 1");
      return amount;
    },
    absent: { value: defaultShare },
  };
}

/**
 * The text of the file whose path is the value, without the whitespace at its end; an empty file is
 * refused.
 */
export function fileText(variable: string): Setting<string> {
  return {
    variable,
    read(value) {
      const content = readFile(value).toString("utf8").trimEnd();
      if (content === "") throw new Error("names an empty file");
      return content;
    },
  };
}

/** The bytes of the file whose path is the value; an empty file is refused. */
export function fileBytes(variable: string): Setting<Uint8Array> {
  return {
    variable,
    read(value) {
      const content = readFile(value);
      if (content.length === 0) throw new Error("names an empty file");
      return content;
    },
  };
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(
      `names a file that cannot be read: ${cause instanceof Error ? cause.message : ""}`,
      {
        cause,
      },
    );
  }
}
