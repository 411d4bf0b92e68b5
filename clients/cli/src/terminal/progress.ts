import { sanitise } from "./sanitise.ts";
import type { Terminal } from "./terminal.ts";

/** Progress of slow commands on standard error. */
export type Progress = {
  /**
   * Shows the title once this takes longer than a second, and takes it away from a terminal in the
   * end.
   */
  during<T>(title: string, work: () => Promise<T>): Promise<T>;
  /** Says something at once, such as why it waits. */
  say(text: string): void;
};

const slowMs = 1000;
const clearLine = "\r\u001b[2K";

/** Makes progress over standard error; silent ones say nothing, for output that programs read. */
export function createProgress(terminal: Terminal, silent: boolean): Progress {
  let shown = false;
  const clear = (): void => {
    if (shown) terminal.write(clearLine);
    shown = false;
  };
  const say = (text: string): void => {
    if (silent) return;
    clear();
    terminal.write(`${terminal.paint("dim", `sallyport: ${sanitise(text)}`)}\n`);
  };
  return {
    say,
    async during(title, work) {
      if (silent) return work();
      const timer = setTimeout(() => {
        if (!terminal.isTerminal) return say(`${title} …`);
        terminal.write(terminal.paint("dim", `sallyport: ${sanitise(title)} …`));
        shown = true;
      }, slowMs);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
        clear();
      }
    },
  };
}
