import type { Content } from "./format.ts";

/** Returns the reason why no variable of a process can hold a content; undefined when one can. */
export function refuseVariable(content: Content): string | undefined {
  if ("bytes" in content) return "is not UTF-8 text";
  return content.text.includes("\0") ? "holds a NUL byte" : undefined;
}

/** The text of a content that was not refused. */
export function textIn(content: Content): string {
  if ("bytes" in content) throw new TypeError("a format wrote what it refuses");
  return content.text;
}
