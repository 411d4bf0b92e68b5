import { type Variable, textOf } from "../values/variables.ts";
import { CliError } from "../app/failure.ts";

/** The environment that a child inherits. */
export type Inheritance = {
  /** False leaves out everything that is not named in `keep` or needed to run at all. */
  readonly inherit: boolean;
  readonly keep: readonly string[];
};

// Without these most programs do not find themselves, their user or a place to write.
const needed = /^(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|TERM|TZ|TMPDIR|LANG|LC_[A-Z]+)$/;

/**
 * The environment of a child: what it inherits, less Sallyport's own variables, and the secrets.
 * Throws VALUE_UNFIT for a value that no environment can hold.
 */
export function childEnvironment(
  env: NodeJS.ProcessEnv,
  variables: readonly Variable[],
  { inherit, keep }: Inheritance,
): Record<string, string> {
  const inherited = Object.entries(env).filter(
    ([name]) =>
      !name.startsWith("SALLYPORT_") && (inherit || needed.test(name) || keep.includes(name)),
  );
  const own = variables.map(({ name, plaintext }) => [name, valueOf(name, plaintext)]);
  return Object.fromEntries([...inherited, ...own]) as Record<string, string>;
}

function valueOf(name: string, plaintext: Uint8Array): string {
  const text = textOf(plaintext);
  const why =
    text === undefined ? "is not UTF-8 text" : text.includes("\0") ? "holds a NUL byte" : undefined;
  if (why === undefined) return text ?? "";
  throw new CliError("VALUE_UNFIT", `${name} ${why}, which no environment can hold`, {
    next: 'write it to a file with "sallyport get --output", and leave it out here with --only',
  });
}
