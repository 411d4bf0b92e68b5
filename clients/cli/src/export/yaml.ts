import type { Format } from "./format.ts";

// Characters that JSON leaves unescaped and that YAML does not allow (YAML 1.2 §5.1), or reads as a
// line break in version 1.1.
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/**
 * A mapping in YAML 1.2, everything in double quotes. A value that is not UTF-8 becomes !!binary,
 * in base64.
 */
export const yaml: Format = {
  identifiers: false,
  refuse: () => undefined,
  write(variables) {
    const lines = variables.map(([name, content]) => {
      const value =
        "text" in content
          ? quoted(content.text)
          : `!!binary "${Buffer.from(content.bytes).toString("base64")}"`;
      return `${quoted(name)}: ${value}\n`;
    });
    return lines.length === 0 ? "{}\n" : lines.join("");
  },
};

function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
