import { refuseVariable, textIn } from "./content.ts";
import type { Format } from "./format.ts";

/**
 * `export NAME='value'` for sh, dash, bash, zsh and their kin: within single quotes nothing has a
 * meaning but a quote.
 */
export const shell: Format = {
  identifiers: true,
  refuse: (_, content) => refuseVariable(content),
  write: (variables) =>
    variables.map(([name, content]) => `export ${name}=${quoted(textIn(content))}\n`).join(""),
};

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
