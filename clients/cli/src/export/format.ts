import { CliError } from "../app/failure.ts";
import { type Variable, textOf } from "../values/variables.ts";
import { dockerEnv } from "./docker-env.ts";
import { dotenv } from "./dotenv.ts";
import { githubEnv } from "./github-env.ts";
import { json } from "./json.ts";
import { shell } from "./shell.ts";
import { yaml } from "./yaml.ts";

/** A value as a format sees it: a text, or bytes that are not UTF-8. */
export type Content = { readonly text: string } | { readonly bytes: Uint8Array };

/** A way of writing variables to a file that some program reads back, byte for byte. */
export type Format = {
  /** True if names must be identifiers. */
  readonly identifiers: boolean;
  /** Returns the reason why the format cannot hold this; undefined when it can. */
  refuse(name: string, content: Content): string | undefined;
  /** Writes variables that were not refused, in their order. */
  write(variables: readonly (readonly [name: string, content: Content])[]): string;
};

/** Every format by its name. */
export const formats = {
  dotenv,
  json,
  yaml,
  shell,
  "github-env": githubEnv,
  "docker-env": dockerEnv,
} satisfies Readonly<Record<string, Format>>;

/** The name of a format. */
export type FormatName = keyof typeof formats;

/** The names of all formats. */
export const formatNames: readonly FormatName[] = [
  "dotenv",
  "json",
  "yaml",
  "shell",
  "github-env",
  "docker-env",
];

/**
 * Writes variables in a format. Throws VALUE_UNFIT for one that it cannot hold, naming the formats
 * that can.
 */
export function writeFormat(name: FormatName, variables: readonly Variable[]): string {
  const format: Format = formats[name];
  const contents = variables.map((variable) => [variable.name, contentOf(variable)] as const);
  for (const [variable, content] of contents) {
    const why = format.refuse(variable, content);
    if (why === undefined) continue;
    throw new CliError("VALUE_UNFIT", `${variable} ${why}, which ${name} cannot hold`, {
      next: nextOf(variable, content),
    });
  }
  return format.write(contents);
}

function contentOf({ plaintext }: Variable): Content {
  const text = textOf(plaintext);
  return text === undefined ? { bytes: plaintext } : { text };
}

function nextOf(variable: string, content: Content): string {
  const able = formatNames.filter((name) => {
    const format: Format = formats[name];
    return format.refuse(variable, content) === undefined;
  });
  const leave = "or leave it out with --only";
  return able.length === 0
    ? `read it with "sallyport get", ${leave}`
    : `use --format ${able.join(" or ")}, ${leave}`;
}
