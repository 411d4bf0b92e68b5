import { flag, list, text } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import type { Selection } from "./select.ts";
import { type Naming, parseMappings } from "./variables.ts";

/** The options of what turns secrets into variables. */
export const variableOptions = {
  project: text("only secrets of this project, by name or id", {
    value: "project",
    complete: "readableProjects",
  }),
  only: list("only these secrets, by name, id or project/name", {
    value: "A,B",
    complete: "readableSecrets",
  }),
  except: list("all but these secrets", { value: "A,B", complete: "readableSecrets" }),
  prefix: text("put this before every name that is not mapped", { default: "", value: "text" }),
  map: list("call a secret, or one of its fields, by this name", { value: "NAME=secret[:field]" }),
  allowDangerousNames: flag("allow names that make programs run code, such as LD_PRELOAD"),
};

/** The values of those options. */
export type VariableChoice = {
  readonly project: string | undefined;
  readonly only: readonly string[];
  readonly except: readonly string[];
  readonly prefix: string;
  readonly map: readonly string[];
  readonly allowDangerousNames: boolean;
};

/**
 * Secrets to read and their names. A secret that is mapped is read whether --only names it or not.
 * Throws UsageError for options that contradict each other.
 */
export function choiceOf(options: VariableChoice, identifiers: boolean) {
  const { project, only, except, prefix, allowDangerousNames } = options;
  const mappings = parseMappings(options.map);
  if (only.length > 0 && except.length > 0)
    throw new UsageError("--only and --except were both given", "omit one of them");
  const both = mappings.find(({ secret }) => except.includes(secret));
  if (both) throw new UsageError(`--map and --except both name ${both.secret}`, "omit one of them");
  const named = only.length === 0 ? [] : [...only, ...mappings.map(({ secret }) => secret)];
  const naming: Naming = { prefix, mappings, allowDangerousNames, identifiers };
  const withProjects = mappings.some(({ secret }) => secret.includes("/"));
  const selection: Selection = { project, named: [...new Set(named)], except, withProjects };
  return { selection, naming };
}
