import { describe, expect, test } from "vitest";
import { createScreen } from "./screen.ts";

function screenOf(isTerminal: boolean) {
  const written: string[] = [];
  const write = (text: string | Uint8Array) =>
    void written.push(Buffer.from(text).toString("latin1"));
  return {
    written,
    screen: createScreen({ isTerminal, width: 80, write, paint: (_, text) => text }),
  };
}

describe("a value", () => {
  test("is written byte for byte", () => {
    const content = "two lines\n\tand an end\r\n";
    const { written, screen } = screenOf(true);
    screen.value(Buffer.from(content), "DB_URL");
    expect(written).toEqual([content]);
  });

  test.each(["\u001b]0;title\u0007", "\u009b2J", "a\bb", "\0"])(
    "that a terminal would obey is not shown on one",
    (hostile) => {
      const { written, screen } = screenOf(true);
      expect(() => screen.value(Buffer.from(`export A='${hostile}'`), "DB_URL")).toThrow(
        "DB_URL holds control characters",
      );
      expect(written).toEqual([]);
      const piped = screenOf(false);
      piped.screen.value(Buffer.from(hostile), "DB_URL");
      expect(piped.written).toEqual([Buffer.from(hostile).toString("latin1")]);
    },
  );
});
