import { refuseVariable, textIn } from "./content.ts";
import type { Format } from "./format.ts";

/**
 * `NAME='value'` as the dotenv package reads it, and in no form that a shell would run: `set -a; .
 * ./.env` is how many jobs read such a file, and a value's author is not the one who deploys it.
 * The format has no escape for a quote and none for a backslash, so a few values have no such form.
 */
export const dotenv: Format = {
  identifiers: true,
  refuse(_, content) {
    const refused = refuseVariable(content);
    if (refused !== undefined) return refused;
    return formOf(textIn(content)) === undefined
      ? "ends with a backslash, or has a quote beside what a shell expands"
      : undefined;
  },
  write: (variables) =>
    variables.map(([name, content]) => `${name}=${formOf(textIn(content)) ?? ""}\n`).join(""),
};

function formOf(text: string): string | undefined {
  // A backslash before the closing quote would be taken for an escape of it.
  if (!/['\r]/.test(text)) return text.endsWith("\\") ? undefined : `'${text}'`;
  // Within double quotes a shell expands these, and the package takes \n and \r for line ends.
  if (/["$`\\!]/.test(text)) return undefined;
  return `"${text.replaceAll("\r", "\\r")}"`;
}
