import { flag, list, text, textOr } from "../command/options.ts";
import { type Naming, parseMappings } from "./variables.ts";

/** The options of what turns secrets into variables. */
export const variableOptions = {
  project: text("only secrets of this project, by name or id", {
    value: "project",
    complete: "readableProjects",
  }),
  only: list("only these secrets, by name or id", { value: "A,B", complete: "readableSecrets" }),
  prefix: textOr("", "put this before every name that is not mapped", { value: "text" }),
  map: list("call a secret, or one of its fields, by this name", { value: "NAME=secret[:field]" }),
  allowDangerousNames: flag("allow names that make programs run code, such as LD_PRELOAD"),
};

/** What those options say. */
export type VariableChoice = {
  readonly project: string | undefined;
  readonly only: readonly string[];
  readonly prefix: string;
  readonly map: readonly string[];
  readonly allowDangerousNames: boolean;
};

/** What to read and how to name it. A secret that is mapped is read whether --only names it or not. */
export function choiceOf(options: VariableChoice, identifiers: boolean) {
  const { project, only, prefix, allowDangerousNames } = options;
  const mappings = parseMappings(options.map);
  const named = only.length === 0 ? [] : [...only, ...mappings.map(({ secret }) => secret)];
  const naming: Naming = { prefix, mappings, allowDangerousNames, identifiers };
  return { selection: { project, named: [...new Set(named)] }, naming };
}
