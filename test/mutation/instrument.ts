import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One change of one place; its switch is in the instrumented file. */
export type Mutant = {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  /** The line of code on which it begins, trimmed. */
  readonly code: string;
  /** "from → to", the texts on one line and shortened. */
  readonly change: string;
};

type Place = { readonly line: number; readonly column: number };
type File = { readonly name: string; readonly content: string; readonly mutate: boolean };
type Instrumented = {
  readonly files: readonly File[];
  readonly mutants: readonly {
    readonly id: string;
    readonly fileName: string;
    readonly replacement: string;
    readonly location: { readonly start: Place; readonly end: Place };
  }[];
};
type Instrumenter = { instrument(files: readonly File[], options: object): Promise<Instrumented> };
type InstrumenterModule = { readonly Instrumenter: new (logger: object) => Instrumenter };

/** Puts every mutant of the files into the tree, each behind a switch, and lists them. */
export async function instrument(dir: string, globs: readonly string[]): Promise<Mutant[]> {
  const found = globs.flatMap((glob) => globSync(glob, { cwd: dir }));
  const names = found.filter((name) => !isTest(name)).sort();
  const files = names.map((name) => ({
    name,
    content: readFileSync(join(dir, name), "utf8"),
    mutate: true,
  }));
  const instrumenter = await loadInstrumenter();
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const result = await instrumenter.instrument(files, options);
  for (const { name, content } of result.files) writeFileSync(join(dir, name), content);
  const sources = new Map(files.map(({ name, content }) => [name, content.split("\n")]));
  return result.mutants.map(({ id, fileName, location, replacement }) => {
    const { start, end } = location;
    const lines = (sources.get(fileName) ?? []).slice(start.line, end.line + 1);
    const code = (lines[0] ?? "").trim();
    lines[lines.length - 1] = (lines.at(-1) ?? "").slice(0, end.column);
    lines[0] = (lines[0] ?? "").slice(start.column);
    const change = `${shortened(lines.join("\n"))} → ${shortened(replacement)}`;
    return { id, file: fileName, line: start.line + 1, code, change };
  });
}

function isTest(name: string): boolean {
  return /\.test\.ts$|(^|\/)testing(\/|$)/.test(name);
}

// Its declarations do not pass our compiler's checks of libraries, so what is used of it is
// declared above.
async function loadInstrumenter(): Promise<Instrumenter> {
  const module = import.meta.resolve("@stryker-mutator/instrumenter");
  const { Instrumenter } = (await import(module)) as InstrumenterModule;
  const silent = () => undefined;
  return new Instrumenter({
    debug: silent,
    info: silent,
    warn: silent,
    isDebugEnabled: () => false,
  });
}

function shortened(text: string): string {
  const flat = text.replaceAll(/\s+/g, " ").trim();
  return flat.length <= 60 ? flat : `${flat.slice(0, 59)}…`;
}
