/**
 * The result of keys: more is to be typed, the text is whole, it was given up, or it has lines that
 * one answer cannot hold.
 */
export type Typed = "more" | "stopped" | "lines" | { readonly text: string };

// Escape sequences of arrow keys and other function keys (ECMA-48): none is part of an answer.
// oxlint-disable-next-line no-control-regex
const keySequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?/gsu;

/**
 * One answer on a terminal without echo, where what was typed cannot be seen: Enter or Ctrl-D ends
 * it, Ctrl-U empties it.
 */
export function createTyping(): { take(keys: string): Typed } {
  let typed: string[] = [];
  return {
    take(keys) {
      const pressed = Array.from(keys.replaceAll(keySequence, ""));
      for (const [index, key] of pressed.entries()) {
        switch (key) {
          case "\r":
          case "\n":
          case "\u0004":
            // Security: what follows a line's end was pasted. The first line alone would be taken
            // for the whole of it.
            return /[^\r\n]/.test(pressed.slice(index).join("")) && key !== "\u0004"
              ? "lines"
              : { text: typed.join("") };
          case "\u0003":
            return "stopped";
          case "\u007f":
          case "\b":
            typed.pop();
            break;
          case "\u0015":
            typed = [];
            break;
          default:
            // Other control keys stand for nothing that could be seen.
            if (key >= " " || key === "\t") typed.push(key);
        }
      }
      return "more";
    },
  };
}
