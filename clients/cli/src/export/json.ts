import type { Format } from "./format.ts";

/** One object, a key for each variable. A value that is not UTF-8 becomes {"base64": "…"}. */
export const json: Format = {
  identifiers: false,
  refuse: () => undefined,
  write(variables) {
    const entries = variables.map(([name, content]) => [
      name,
      "text" in content ? content.text : { base64: Buffer.from(content.bytes).toString("base64") },
    ]);
    // Not through an object: it would move names that look like numbers to the front, and take
    // __proto__ for its own.
    const lines = entries.map(
      ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
    );
    return lines.length === 0 ? "{}\n" : `{\n${lines.join(",\n")}\n}\n`;
  },
};
