import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { flag, repeated, text, integer } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { canAsk, readValue } from "../terminal/input.ts";
import { generateValue } from "./generate.ts";

/** The options that say where a value to store comes from. */
export const givenOptions = {
  file: text("read the value from a file, byte for byte", { value: "file", complete: "files" }),
  exact: flag("keep a line end and a byte order mark of piped input"),
  allowEmpty: flag("store a value that is empty"),
  generate: integer(
    "make one up: so many random letters and digits (--generate=48; 32 if no number is given)",
    { min: 16, max: 1024 },
    { bare: "32", value: "=length" },
  ),
  field: repeated(
    "a field to ask for, or to read from a file with NAME=@FILE; give it once for each field",
    {
      value: "name[=@file]",
    },
  ),
  fieldsFile: text("read all fields from a JSON object of texts; - takes it from standard input", {
    value: "file",
    complete: "files",
  }),
};

/** The values of those options. */
export type Given = {
  readonly file: string | undefined;
  readonly exact: boolean;
  readonly allowEmpty: boolean;
  readonly generate: number | undefined;
  readonly field: readonly string[];
  readonly fieldsFile: string | undefined;
};

/** A value to store, and its layout. */
export type GivenValue = { readonly plaintext: Uint8Array; readonly kind: ValueKind };

/**
 * Reads the value of a secret from where it was said to be. UsageError when that is unclear or does
 * not fit, and for an empty value that was not asked for: a pipe that failed, or Enter at a prompt,
 * must not become what machines read next.
 */
export async function readGiven(name: string, given: Given): Promise<GivenValue> {
  const { file, exact, generate, field, fieldsFile, allowEmpty } = given;
  const sources = [file, generate, fieldsFile, field.length > 0 || undefined].filter(
    (of) => of !== undefined,
  );
  if (sources.length > 1)
    throw new UsageError(
      "the value has several sources",
      "give one of --file, --generate, --field and --fields-file",
    );
  if (generate !== undefined) return single(generateValue(generate));
  if (fieldsFile !== undefined) return fields(await readFields(fieldsFile));
  if (field.length > 0) return fields(await askFields(name, field, allowEmpty));
  const prompt = `Value of ${name}: `;
  const value = await readValue({ prompt, exact, ...(file === undefined ? {} : { file }) });
  if (value.length === 0 && !allowEmpty) throw emptyValue("the value");
  return single(value);
}

function emptyValue(what: string): UsageError {
  return new UsageError(
    `${what} is empty: nothing was stored`,
    "check the program before the pipe, or the file; --allow-empty stores an empty value",
  );
}

/**
 * Refuses NAME=value instead of a name. Throws UsageError.
 *
 * Security: what stands behind the sign is not shown again, and goes nowhere.
 */
export function refuseAssignment(name: string): void {
  const at = name.indexOf("=");
  if (at < 0) return;
  throw new UsageError(
    "a value must not be given on the command line, where other programs see it",
    `give the name alone and pipe the value in: … | sallyport secret put ${name.slice(0, at)}`,
  );
}

function single(plaintext: Uint8Array): GivenValue {
  return { plaintext, kind: ValueKind.SINGLE };
}

function fields(plaintext: Uint8Array): GivenValue {
  return { plaintext, kind: ValueKind.FIELDS };
}

// Checked here for a clear word; sent byte for byte, since the server checks what is stored.
async function readFields(file: string): Promise<Uint8Array> {
  const content =
    file === "-" ? await buffer(process.stdin) : await readValue({ file, prompt: "" });
  const value = parsed(content);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject || !Object.values(value).every((each) => typeof each === "string"))
    throw new UsageError(
      `${file === "-" ? "standard input" : file} does not hold fields`,
      'write one JSON object of texts: {"user": "…"}',
    );
  return content;
}

function parsed(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}

const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

async function askFields(
  secret: string,
  given: readonly string[],
  allowEmpty: boolean,
): Promise<Uint8Array> {
  const all = given.map((each) => splitField(each));
  const twice = all.find(
    ({ name }, index) => all.findIndex((other) => other.name === name) !== index,
  );
  if (twice) throw new UsageError(`the field ${twice.name} is given twice`, "give each field once");
  const values = new Map<string, string>();
  for (const { name, file } of all) {
    const value = file === undefined ? await ask(secret, name) : await textOf(file);
    if (value === "" && !allowEmpty) throw emptyValue(`the field ${name}`);
    values.set(name, value);
  }
  return Buffer.from(JSON.stringify(Object.fromEntries(values)));
}

function splitField(given: string): { name: string; file: string | undefined } {
  const [, name = "", source] = /^([^=]*)(?:=(.*))?$/s.exec(given) ?? [];
  if (!nameForm.test(name))
    throw new UsageError(
      `"${name}" cannot be a field's name`,
      "use letters, digits and _, no digit first",
    );
  if (source !== undefined && !source.startsWith("@"))
    throw new UsageError(
      `the value of ${name} must not be given on the command line, where other programs see it`,
      `read it from a file with --field ${name}=@FILE, or omit =… to be prompted`,
    );
  return { name, file: source?.slice(1) };
}

async function ask(secret: string, name: string): Promise<string> {
  if (!canAsk())
    throw new UsageError(
      `there is no terminal to ask for the field ${name} on`,
      `read it from a file with --field ${name}=@FILE`,
    );
  const value = await readValue({ prompt: `Field ${name} of ${secret}: ` });
  return Buffer.from(value).toString("utf8");
}

async function textOf(file: string): Promise<string> {
  const content = await readFile(file).catch(() => {
    throw new UsageError(`${file} cannot be read`, "name a file that can");
  });
  if (!isUtf8(content))
    throw new UsageError(
      `${file} is not text in UTF-8, and fields are texts`,
      "store it as a secret of its own",
    );
  return content.toString("utf8");
}
