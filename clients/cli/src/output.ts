import { styleText } from "node:util";

/** Writes a value as JSON for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Writes one line for people. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A green tick where there is a terminal to show it, a plain one elsewhere. */
export function tick(): string {
  return process.stdout.isTTY ? styleText("green", "✓") : "✓";
}

/** Writes rows under a header in aligned columns, each cut so that the table fits the terminal. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const width = process.stdout.isTTY ? process.stdout.columns : Number.MAX_SAFE_INTEGER;
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
      .slice(0, width);
  printLine(line(header));
  for (const row of rows) printLine(line(row));
}
