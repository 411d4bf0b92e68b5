import { CliError } from "../app/failure.ts";
import { sanitise } from "./sanitise.ts";
import { type Column, type Style, layTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

/** The outcome of something: good, to be watched, or bad. */
export type Mark = "ok" | "warn" | "bad";

/**
 * Output for people. Every text is made safe before it is shown; only `value` writes bytes as they
 * are.
 */
export type Screen = {
  readonly isTerminal: boolean;
  line(text: string): void;
  /** A line with ✓, ! or ✗ before it; a second text is dimmed. */
  mark(mark: Mark, text: string, more?: string): void;
  /** Rows in columns that fit the terminal, or the sentence when there are none. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], none: string): void;
  /** Labels and values, one a line, aligned. */
  facts(pairs: readonly (readonly [label: string, value: string])[]): void;
  /** A text that the user asked for whole, such as a token or a script, with its line breaks. */
  text(content: string): void;
  /**
   * Writes values that the user asked for, byte for byte; `what` names them in an error.
   * Throws VALUE_UNFIT for control characters that a terminal would obey: who stored the value is
   * not who reads it.
   */
  value(content: Uint8Array, what: string): void;
};

const signs: Readonly<Record<Mark, readonly [Style, string]>> = {
  ok: ["green", "✓"],
  warn: ["yellow", "!"],
  bad: ["red", "✗"],
};

const obeyed = /[^\P{Cc}\n\r\t]/u;

/** Makes the screen over standard output. */
export function createScreen(terminal: Terminal): Screen {
  const print = (text: string): void => terminal.write(`${text}\n`);
  return {
    isTerminal: terminal.isTerminal,
    line: (text) => print(sanitise(text)),
    mark(mark, text, more) {
      const [style, sign] = signs[mark];
      const rest =
        more === undefined || more === "" ? "" : `  ${terminal.paint("dim", sanitise(more))}`;
      print(`${terminal.paint(style, sign)} ${sanitise(text)}${rest}`);
    },
    table(columns, rows, none) {
      if (rows.length === 0) return print(none);
      for (const line of layTable(columns, rows, terminal.width, terminal.paint)) print(line);
    },
    facts(pairs) {
      const width = Math.max(...pairs.map(([label]) => widthOf(label)));
      for (const [label, value] of pairs)
        print(`${terminal.paint("dim", pad(label, width))}  ${sanitise(value)}`);
    },
    text: (content) => print(content.split("\n").map(sanitise).join("\n").replace(/\n$/, "")),
    value(content, what) {
      if (terminal.isTerminal && obeyed.test(Buffer.from(content).toString("utf8")))
        throw new CliError(
          "VALUE_UNFIT",
          `${what} holds control characters, which a terminal would obey`,
          {
            next: "write it to a file with --output, or pipe it into a program",
          },
        );
      terminal.write(content);
    },
  };
}
