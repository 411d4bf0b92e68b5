/** One line that somebody types, and what it prints. */
export type Step = {
  /** Comments above it for the reader, with a # each. */
  readonly comments: readonly string[];
  /** Whose computer it is typed on. */
  readonly who: string;
  /** The command, over several lines when those end in a backslash. */
  readonly command: string;
  readonly output: string;
};

const prompt = /^([a-z][a-z0-9-]*)\$ (.*)$/;

/**
 * Reads a session: `NAME$ command`, further lines of it after `> `, then its output up to an empty
 * line that is followed by a prompt or a comment.
 */
export function parseSession(text: string): Step[] {
  const steps: Step[] = [];
  for (const block of text.split(/\n\n(?=#|[a-z][a-z0-9-]*\$ )/)) {
    const lines = block.trimEnd().split("\n");
    const start = lines.findIndex((line) => prompt.test(line));
    if (start === -1) {
      steps.push({ comments: lines, who: "", command: "", output: "" });
      continue;
    }
    const [, who = "", first = ""] = prompt.exec(lines[start] ?? "") ?? [];
    let end = start + 1;
    while (lines[end]?.startsWith("> ")) end += 1;
    const more = lines.slice(start + 1, end).map((line) => line.slice(2));
    const output = lines.slice(end).join("\n");
    steps.push({
      comments: lines.slice(0, start),
      who,
      command: [first, ...more].join("\n"),
      output,
    });
  }
  return steps;
}

/** Writes a session as it is read. */
export function formatSession(steps: readonly Step[]): string {
  return `${steps.map(formatStep).join("\n\n")}\n`;
}

function formatStep({ comments, who, command, output }: Step): string {
  if (who === "") return comments.join("\n");
  const typed = command
    .split("\n")
    .map((line, index) => (index === 0 ? `${who}$ ${line}` : `> ${line}`));
  return [...comments, ...typed, ...(output === "" ? [] : [output])].join("\n");
}
