import stringWidth from "string-width";

const segmenter = new Intl.Segmenter();
const plain = /^[\x20-\x7e]*$/;

/** The number of columns that a text takes on a terminal: wide characters take two. */
export function widthOf(text: string): number {
  return plain.test(text) ? text.length : stringWidth(text);
}

/** Cuts a text to at most so many columns; what was cut ends in …, and no character is halved. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const more = widthOf(segment);
    if (used + more > width - 1) break;
    kept += segment;
    used += more;
  }
  return width < 1 ? "" : `${kept}…`;
}

/** Fills a text up with spaces to so many columns, on the right, or on the left for numbers. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "left" ? text + space : space + text;
}
