/**
 * Makes what differs from one day to the next the same: ids, times, ports, folders, versions, keys.
 */
export type Normaliser = (output: string) => string;

const id =
  /\b(usr|mch|prj|sec|tok|vlt|evt|dec)_([0-9a-hjkmnp-tv-z]{20}|[0-9a-hjkmnp-tv-z]{0,19}…)/g;
const time = "2027-03-14 15:09:26";

/**
 * A normaliser for one day: the same id has the same number in all of it. `dir` is where the homes
 * are.
 */
export function createNormaliser(dir: string): Normaliser {
  const numbers = new Map<string, string>();
  const counts = new Map<string, number>();
  const numberOf = (kind: string, rest: string): string => {
    const short = rest.endsWith("…");
    const known = [...numbers].find(([key]) =>
      key.startsWith(`${kind}_${short ? rest.slice(0, -1) : rest}`),
    );
    if (known) return known[1];
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    const name = `${kind}_${number}`;
    if (!short) numbers.set(`${kind}_${rest}`, name);
    return name;
  };
  const texts = (text: string): string =>
    text
      .replaceAll(id, (_, kind: string, rest: string) => {
        const name = numberOf(kind, rest);
        return rest.endsWith("…") ? `${name}…` : name;
      })
      .replaceAll(/\.[\w-]{43}\.[\w-]{43}\.[0-9a-f]{8}\b/g, ".ROOT.SECRET.CHECK")
      .replaceAll(/(?<![\w-])[0-9a-f]{64}(?![\w-])/g, "SHA256")
      .replaceAll(/(?<![\w-])[A-Za-z0-9_-]{43}(?![\w-])/g, "FINGERPRINT")
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g, `${time} UTC`)
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, "2027-03-14T15:09:26.535Z")
      .replaceAll(/\b\d+ (s|min) ago\b|(?<=^|\()now(?=$|\))/g, "just now")
      .replaceAll(/\b\d+ (s|min) old\b/g, "1 min old")
      .replaceAll(/^(host +)\S+$/g, "$1build-host")
      .replaceAll(/(?<=usr_\d+\.)[0-9a-hjkmnp-tv-z]{20}\b/g, "DEVICE")
      .replaceAll(/^([✓✗]) \d\d:\d\d:\d\d/gm, "$1 15:09:26")
      .replaceAll(/\bin \d+ ms\b/g, "in 9 ms")
      .replaceAll(/\bNode \d+\.\d+\.\d+/g, "Node VERSION")
      .replaceAll(/^(record +)\d+ \(/gm, "$1· (")
      .replaceAll(/localhost:\d+/g, "localhost:8443")
      .replaceAll(/\bsallyport-cli\/\d+\.\d+\.\d+/g, "sallyport-cli/VERSION")
      .replaceAll(dir, "/home");
  return (output) => {
    const shown = output.replaceAll(waiting, "").replaceAll("\r\n", "\n");
    return tablesIn(shown.split("\n"), texts).join("\n");
  };
}

// Said while something takes longer than a second, and taken away again.
const waiting = new RegExp(String.raw`sallyport: waiting for [^\n]*? …\r\x1b\[2K`, "g");

// A header is capitals in columns; the rows under it begin a cell where it does.
const header = /^ *[A-Z]+( [A-Z]+)?(?: {2,}[A-Z]+( [A-Z]+)?)+$/;

function tablesIn(lines: readonly string[], texts: Normaliser): string[] {
  const done: string[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? "";
    if (!header.test(line)) {
      done.push(texts(line));
      at += 1;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && (lines[end] ?? "").includes("  ")) end += 1;
    done.push(...tableOf(lines.slice(at, end), texts));
    at = end;
  }
  return done;
}

// What depends on how fast the day was: numbers of records, and sightings, which a gateway reports
// within 10 seconds.
const sameCells: Readonly<Record<string, ((cell: string) => string) | undefined>> = {
  SEQ: () => "·",
  "LAST SEEN": () => "just now",
  FROM: () => "127.0.0.1",
};

/** Lays the table out anew around what was made the same. */
function tableOf(lines: readonly string[], texts: Normaliser): string[] {
  const columns = columnsOf(lines);
  const rows = lines.map((line, row) =>
    columns.map(([from, to], column) => {
      const cell = line.slice(from, to).trim();
      const title = (lines[0] ?? "").slice(columns[column]?.[0], columns[column]?.[1]).trim();
      const same = row === 0 ? undefined : sameCells[title]?.(cell);
      if (same !== undefined) return same;
      // How much of a cell is left depends on how long ago things were.
      return texts(cell).replace(/^(.{12}).*…$/, "$1…");
    }),
  );
  const widths = columns.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** The columns: between two spaces that every line has at the same position. */
function columnsOf(lines: readonly string[]): [from: number, to: number][] {
  const width = Math.max(...lines.map((line) => line.length));
  const blank = Array.from({ length: width + 2 }, (_, at) =>
    lines.every((line) => (line[at] ?? " ") === " "),
  );
  const columns: [number, number][] = [];
  let from: number | undefined;
  for (let at = 0; at < blank.length; at += 1) {
    if (blank[at] !== true) from ??= at;
    else if (from !== undefined && blank[at + 1] !== false) {
      columns.push([from, at]);
      from = undefined;
    }
  }
  return columns;
}
