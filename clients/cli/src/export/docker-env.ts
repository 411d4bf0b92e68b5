import { refuseVariable, textIn } from "./content.ts";
import type { Format } from "./format.ts";

// Docker reads lines with a buffer of this size, the line's end included.
const maxLineBytes = 64 * 1024 - 1;

/**
 * `NAME=value` as `docker run --env-file` reads it: the rest of the line, nothing quoted, nothing
 * expanded.
 */
export const dockerEnv: Format = {
  identifiers: true,
  refuse(name, content) {
    const refused = refuseVariable(content);
    if (refused !== undefined) return refused;
    const text = textIn(content);
    if (text.includes("\n")) return "holds a line break";
    if (text.endsWith("\r")) return "ends in a carriage return";
    if (Buffer.byteLength(`${name}=${text}`) >= maxLineBytes) return "is longer than a line may be";
    return undefined;
  },
  write: (variables) => variables.map(([name, content]) => `${name}=${textIn(content)}\n`).join(""),
};
