import { widthOf } from "./width.ts";

/**
 * Breaks a text between words into lines of at most so many columns, all but the first indented.
 */
export function wrap(text: string, width: number, indent: string): string[] {
  const [first = "", ...words] = text.trimStart().split(" ");
  const lines = [text.slice(0, text.length - text.trimStart().length) + first];
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ""} ${word}`;
    if (widthOf(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(indent + word);
  }
  return lines;
}
