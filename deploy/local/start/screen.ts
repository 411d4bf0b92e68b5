import { styleText } from "node:util";

/** A line of progress or of the walk on standard output; colours only on a terminal. */
export type Screen = {
  say(line: string): void;
  /** Runs a step; shows that it runs when it takes over a second, and its time when it is done. */
  readonly step: <T>(title: string, run: () => Promise<T>) => Promise<T>;
  /** The same, numbered from 1, for the walk; the step returns the text of its line. */
  walk(run: () => Promise<string>): Promise<void>;
};

const slowMs = 1000;

/** A path as a shell takes it in a command that is to be copied. */
export function shellWord(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** Makes the screen of a start. */
export function createScreen(out: NodeJS.WriteStream = process.stdout): Screen {
  const colour = (style: "green" | "dim" | "red", text: string): string =>
    out.isTTY ? styleText(style, text) : text;
  const say = (line: string): void => void out.write(`${line}\n`);
  let count = 0;

  async function timed<T>(title: string, run: () => Promise<T>): Promise<{ value: T; ms: number }> {
    const start = performance.now();
    const timer = setTimeout(() => say(colour("dim", `  … ${title}`)), slowMs);
    try {
      const value = await run();
      return { value, ms: Math.round(performance.now() - start) };
    } catch (error) {
      say(`${colour("red", "✗")} ${title}`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    say,
    async step(title, run) {
      const { value, ms } = await timed(title, run);
      say(`${colour("green", "✓")} ${title}  ${colour("dim", `${ms} ms`)}`);
      return value;
    },
    async walk(run) {
      count += 1;
      const { value, ms } = await timed(`step ${count}`, run);
      say(`${colour("green", "✓")} ${count} ${value}  ${colour("dim", `${ms} ms`)}`);
    },
  };
}
