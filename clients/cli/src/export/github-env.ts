import { randomBytes } from "node:crypto";
import { refuseVariable, textIn } from "./content.ts";
import type { Format } from "./format.ts";

/**
 * `NAME<<delimiter` as a GitHub runner reads the file in GITHUB_ENV; the delimiter is drawn for
 * each value.
 */
export const githubEnv: Format = {
  identifiers: true,
  refuse(name, content) {
    const refused = refuseVariable(content);
    if (refused !== undefined) return refused;
    if (/^(?:GITHUB|RUNNER)_/i.test(name)) return "has a name that runners keep for themselves";
    if (name.toUpperCase() === "NODE_OPTIONS") return "has a name that runners refuse";
    // On Windows the line break after it would be taken for one of two characters.
    return textIn(content).endsWith("\r") ? "ends in a carriage return" : undefined;
  },
  write: (variables) => variables.map(([name, content]) => entryOf(name, textIn(content))).join(""),
};

function entryOf(name: string, text: string): string {
  const delimiter = delimiterFor(text);
  return `${name}<<${delimiter}\n${text}\n${delimiter}\n`;
}

/**
 * Security: a value that held its own delimiter could end early and set other variables. 128 random
 * bits are not guessed, and a value that holds them all the same gets others.
 */
function delimiterFor(text: string): string {
  for (;;) {
    const delimiter = `sallyport_${randomBytes(16).toString("hex")}`;
    if (!text.includes(delimiter)) return delimiter;
  }
}
