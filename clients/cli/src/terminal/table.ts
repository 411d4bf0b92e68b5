import { sanitise } from "./sanitise.ts";
import { cut, pad, widthOf } from "./width.ts";

/**
 * The colours that output uses, each with one meaning: well, badly, with care, of less interest.
 */
export type Style = "green" | "red" | "yellow" | "dim";

/** One column of a table. */
export type Column<Row> = {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: "left" | "right";
  /**
   * The least width on a narrow terminal; a column without this gives way only when all
   * others have.
   */
  readonly min?: number;
  readonly style?: (row: Row) => Style | undefined;
};

const gap = 2;
const narrowest = 4;

/**
 * Lays out rows under a header in aligned columns that together fit so many columns of a terminal,
 * the widest cells cut first. Every cell is made safe to show; `paint` colours it after it was cut.
 */
export function layTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  paint: (style: Style, text: string) => string,
): string[] {
  const cells = rows.map((row) => columns.map(({ cell }) => sanitise(cell(row))));
  const widths = fit(columns, naturalWidths(columns, cells), width);
  const line = (texts: readonly string[], style: (index: number) => Style | undefined): string => {
    const parts = columns.map(({ align }, index) => {
      const text = cut(texts[index] ?? "", widths[index] ?? 0);
      const last = index === columns.length - 1 && align !== "right";
      const padded = last ? text : pad(text, widths[index] ?? 0, align);
      const wanted = style(index);
      return wanted === undefined ? padded : paint(wanted, padded);
    });
    return parts.join(" ".repeat(gap)).trimEnd();
  };
  const header = line(
    columns.map(({ title }) => title),
    () => "dim",
  );
  const lines = rows.map((row, index) =>
    line(cells[index] ?? [], (at) => columns[at]?.style?.(row)),
  );
  return [header, ...lines];
}

function naturalWidths<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
): number[] {
  return columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...cells.map((row) => widthOf(row[index] ?? ""))),
  );
}

// One column of the widest gives way at a time, so that no cell is cut more than it must be.
function fit<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): number[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, each) => sum + each, gap * (widths.length - 1));
  const shrink = (least: (index: number) => number): boolean => {
    const candidates = widths.flatMap((each, index) => (each > least(index) ? [index] : []));
    const widest = candidates.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined) return false;
    widths[widest] = (widths[widest] ?? 0) - 1;
    return true;
  };
  while (total() > width && shrink((index) => columns[index]?.min ?? Number.MAX_SAFE_INTEGER));
  while (total() > width && shrink(() => narrowest));
  return widths;
}
