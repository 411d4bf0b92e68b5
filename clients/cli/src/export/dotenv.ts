import { refuseVariable, textIn } from "./content.ts";
import type { Format } from "./format.ts";

/**
 * `NAME='value'` as the dotenv package reads it. It has no escape for a quote and none for a backslash; so each value is
 * written in the first form in which none of it has a meaning, and a few values have no such form.
 */
export const dotenv: Format = {
  identifiers: true,
  refuse(_, content) {
    const refused = refuseVariable(content);
    if (refused !== undefined) return refused;
    return formOf(textIn(content)) === undefined
      ? "mixes quotes, backslashes and line breaks in a way"
      : undefined;
  },
  write: (variables) =>
    variables.map(([name, content]) => `${name}=${formOf(textIn(content)) ?? ""}\n`).join(""),
};

function formOf(text: string): string | undefined {
  // A backslash before the closing quote would be taken for an escape of it.
  const quotable = !text.endsWith("\\");
  if (text.includes("\r"))
    return quotable && isExpandable(text) ? `"${text.replaceAll("\r", "\\r")}"` : undefined;
  if (quotable && !text.includes("'")) return `'${text}'`;
  if (quotable && isExpandable(text)) return `"${text}"`;
  if (quotable && !text.includes("`")) return `\`${text}\``;
  return isPlain(text) ? text : undefined;
}

// Within double quotes \n and \r are line ends, and nothing else has a meaning.
function isExpandable(text: string): boolean {
  return !text.includes('"') && !/\\[nr]/.test(text);
}

// Without quotes a value goes to the end of its line or a #, and the space around it is dropped.
function isPlain(text: string): boolean {
  return text !== "" && text.trim() === text && !/[#\n\u2028\u2029]/.test(text) && !/^['"`]/.test(text);
}
