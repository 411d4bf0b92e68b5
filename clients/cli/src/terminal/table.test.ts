import { describe, expect, test } from "vitest";
import { type Column, layTable } from "./table.ts";
import { cut, pad, widthOf } from "./width.ts";

type Row = { readonly name: string; readonly count: number; readonly id: string };

const columns: readonly Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name, min: 6 },
  { title: "COUNT", cell: ({ count }) => String(count), align: "right" },
  { title: "ID", cell: ({ id }) => id },
];
const id = "sec_0123456789abcdefghjk";
const plain = (_: string, text: string): string => text;
const lay = (rows: readonly Row[], width: number): string[] =>
  layTable(columns, rows, width, plain);

describe("a table", () => {
  test("aligns its columns, numbers on the right", () => {
    const rows = [
      { name: "DB_URL", count: 7, id },
      { name: "A", count: 1234, id },
    ];
    expect(lay(rows, 200)).toEqual([
      "NAME    COUNT  ID",
      `DB_URL      7  ${id}`,
      `A        1234  ${id}`,
    ]);
  });

  test.each([80, 120, 40])("fits %i columns; what may give way does, and ids do not", (width) => {
    const long = { name: "a name that goes on and on ".repeat(6), count: 1, id };
    const lines = lay([long], width);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
    expect(lines[1]).toContain(id);
    expect(lines[1]).toContain("…");
  });

  test("fits the narrowest terminal, ids cut last of all", () => {
    const lines = lay([{ name: "DB_URL", count: 1, id }], 30);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(30);
    expect(lines[1]).toMatch(/^DB_URL +1 {2}sec_\w+…$/);
  });

  test("aligns wide characters by the columns that they take", () => {
    const rows = [
      { name: "日本語", count: 1, id },
      { name: "plain", count: 2, id },
      { name: "🔑 key", count: 3, id },
      { name: "é (e + ́)", count: 4, id },
    ];
    const starts = lay(rows, 200)
      .slice(1)
      .map((line) => widthOf(line.slice(0, line.indexOf("sec_"))));
    expect(new Set(starts).size).toBe(1);
  });

  test("a hostile cell stays in its cell", () => {
    const lines = lay([{ name: "a\u001b[2J\nROW", count: 1, id }], 200);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain(String.raw`a\x1b[2J\x0aROW`);
  });

  test("colours what was cut, without changing its place", () => {
    const paint = (style: string, text: string): string => `<${style}>${text}</>`;
    const coloured: Column<Row>[] = [
      { title: "NAME", cell: ({ name }) => name, min: 4, style: () => "red" },
      { title: "ID", cell: (row) => row.id },
    ];
    const [header, line] = layTable(coloured, [{ name: "abcdefgh", count: 1, id: "x" }], 9, paint);
    expect(header).toBe("<dim>NAME </>  <dim>ID</>");
    expect(line).toBe("<red>abcd…</>  x");
  });
});

describe("widths", () => {
  test.each([
    ["abc", 3],
    ["日本", 4],
    ["🔑", 2],
    ["e\u0301", 1],
    ["ｆｕｌｌ", 8],
    ["", 0],
  ])("%j takes %i columns", (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test("a cut halves no character and keeps its width", () => {
    expect(cut("日本語", 4)).toBe("日…");
    expect(cut("日本語", 5)).toBe("日本…");
    expect(cut("👨‍👩‍👧 family", 2)).toBe("…");
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("abcd", 3)).toBe("ab…");
    expect(cut("abcd", 0)).toBe("");
  });

  test("a pad fills to the width", () => {
    expect(pad("日", 4)).toBe("日  ");
    expect(pad("7", 3, "right")).toBe("  7");
    expect(pad("long", 2)).toBe("long");
  });
});
