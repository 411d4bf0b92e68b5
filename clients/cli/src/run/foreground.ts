import { readFileSync } from "node:fs";

/**
 * Tells whether the terminal sends what is typed, such as Ctrl-C, to this process's group, and so
 * to its children too.
 */
export function isForeground(): boolean {
  const [processGroup, terminalGroup] = groups();
  return processGroup !== undefined && processGroup === terminalGroup;
}

// Linux says it (proc(5), fields 5 and 8 of stat); elsewhere a terminal as standard input stands
// for it.
function groups(): (string | undefined)[] {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [fields[2], fields[5]];
  } catch {
    return process.stdin.isTTY ? ["terminal", "terminal"] : [];
  }
}
