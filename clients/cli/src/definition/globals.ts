import type { Globals } from "../app/context.ts";
import { durationWithin } from "./bounded.ts";
import { type Option, flag, text } from "./options.ts";

/** The options that every command takes, before or after its name. */
export const globalOptions = {
  vault: text("the vault to act in, by id or name", { value: "vault", complete: "vaults" }),
  identity: text("the identity file to use", { value: "file", complete: "files" }),
  timeout: durationWithin("30s", "how long to go on trying", { min: "1s", max: "1d" }),
  json: flag("print results, and errors on standard error, as JSON"),
} satisfies Readonly<Record<string, Option<unknown>>>;

/** Reads the global options out of what was parsed. */
export function globalsOf(values: Readonly<Record<string, unknown>>): Globals {
  const textOf = (value: unknown): string | undefined =>
    typeof value === "string" ? value : undefined;
  const seconds =
    typeof values["timeout"] === "number" ? values["timeout"] : globalOptions.timeout.absent;
  return {
    vault: textOf(values["vault"]),
    identity: textOf(values["identity"]),
    timeoutMs: (seconds ?? 0) * 1000,
    json: values["json"] === true,
  };
}
