/**
 * Readers of formats, written from their documentation, for tests: what is written must come back
 * through them.
 */

/**
 * Reads a file as `docker run --env-file` does: lines of NAME=value, the rest of the line being the
 * value.
 */
export function readDockerEnv(file: Uint8Array): Map<string, string> {
  const variables = new Map<string, string>();
  const lines = Buffer.from(file).toString("utf8").split("\n");
  for (const [index, ended] of lines.entries()) {
    if (Buffer.byteLength(ended) >= 65_536) throw new Error("a line is too long");
    // A line ends in \n or \r\n; the last one may end in neither.
    const withoutEnd = index < lines.length - 1 ? ended.replace(/\r$/, "") : ended;
    const marked = index === 0 ? withoutEnd.replace(/^\ufeff/, "") : withoutEnd;
    const line = marked.replace(/^[\s\u0085]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const name = at === -1 ? line : line.slice(0, at);
    if (name === "" || /\s/.test(name)) throw new Error(`no variable is called "${name}"`);
    if (at !== -1) variables.set(name, line.slice(at + 1));
  }
  return variables;
}

/**
 * Reads a file as a GitHub runner reads the one in GITHUB_ENV: NAME=value, or NAME<<delimiter and
 * lines up to the delimiter alone on its own. On Windows a line may also end in \r\n.
 */
export function readGithubEnv(file: string, system: "linux" | "windows"): Map<string, string> {
  const variables = new Map<string, string>();
  let at = 0;
  const nextLine = (): { readonly line: string; readonly end: number } | undefined => {
    if (at >= file.length) return undefined;
    const start = at;
    const newline = file.indexOf("\n", at);
    if (newline === -1) throw new Error("the last line does not end");
    at = newline + 1;
    const carriage = system === "windows" && file[newline - 1] === "\r" && newline > start;
    const end = carriage ? newline - 1 : newline;
    return { line: file.slice(start, end), end };
  };
  for (let head = nextLine(); head; head = nextLine()) {
    if (head.line === "") continue;
    const [equals, heredoc] = [head.line.indexOf("="), head.line.indexOf("<<")];
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      variables.set(head.line.slice(0, equals), head.line.slice(equals + 1));
      continue;
    }
    if (heredoc < 1) throw new Error(`"${head.line}" is no variable`);
    const delimiter = head.line.slice(heredoc + 2);
    if (delimiter === "") throw new Error("there is no delimiter");
    const start = at;
    let end = at;
    for (let line = nextLine(); line?.line !== delimiter; line = nextLine()) {
      if (!line) throw new Error("the delimiter does not come again");
      ({ end } = line);
    }
    variables.set(head.line.slice(0, heredoc), end > start ? file.slice(start, end) : "");
  }
  return variables;
}
