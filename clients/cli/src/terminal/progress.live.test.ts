import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

function terminal(isTerminal: boolean) {
  const written: string[] = [];
  const paint = (_: string, text: string): string => text;
  const to: Terminal = {
    isTerminal,
    width: 80,
    write: (text) => void written.push(String(text)),
    paint,
  };
  return { to, written };
}

test("what is quick is not worth a word", async () => {
  const { to, written } = terminal(true);
  expect(await createProgress(to, false).during("waiting", async () => 1)).toBe(1);
  expect(written).toEqual([]);
});

test("what takes longer than a second is shown, and taken away from a terminal", async () => {
  const { to, written } = terminal(true);
  await createProgress(to, false).during("waiting for x\u001b", () => sleep(1100));
  expect(written).toEqual([String.raw`sallyport: waiting for x\x1b …`, "\r\u001b[2K"]);
});

test("in a log it is one whole line", async () => {
  const { to, written } = terminal(false);
  await createProgress(to, false).during("waiting", () => sleep(1100));
  expect(written).toEqual(["sallyport: waiting …\n"]);
});

test("for programs nothing is said", async () => {
  const { to, written } = terminal(true);
  const progress = createProgress(to, true);
  progress.say("x");
  await progress.during("waiting", () => sleep(1100));
  expect(written).toEqual([]);
});
