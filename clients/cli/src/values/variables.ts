import { isUtf8 } from "node:buffer";
import { SallyportError } from "@sallyport/client/error";
import { isId } from "@sallyport/proto/ids";
import { dangerOf } from "@sallyport/proto/env-names";
import { CliError, UsageError } from "../app/failure.ts";
import { fieldOf, fieldsOf } from "./fields.ts";
import { secretKeyOf } from "./key.ts";
import type { ReadSecret } from "./select.ts";

/** A value under the name that it gets in an environment or a file. */
export type Variable = { readonly name: string; readonly plaintext: Uint8Array };

/** One --map: a name for a secret, or for one of its fields. */
export type Mapping = {
  readonly name: string;
  readonly secret: string;
  readonly field: string | undefined;
};

/** Options of naming secrets. */
export type Naming = {
  readonly prefix: string;
  readonly mappings: readonly Mapping[];
  readonly allowDangerousNames: boolean;
  /** True if every name must be valid for a variable. */
  readonly identifiers: boolean;
};

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads --map NAME=secret or NAME=secret:field; UsageError for anything else. */
export function parseMappings(texts: readonly string[]): Mapping[] {
  return texts.map((text) => {
    const [, name, secret, field] = /^([^=]+)=([^=:]+)(?::([^=:]+))?$/.exec(text) ?? [];
    if (!name || !secret)
      throw new UsageError(`--map takes NAME=secret or NAME=secret:field, not "${text}"`);
    return { name, secret, field };
  });
}

/**
 * Names secrets: a mapped one as its --map says, any other by the prefix and its own name, and a
 * field by the secret's name and its own in capitals, as in DB_PASSWORD. Throws NAME_UNFIT for what
 * cannot be a variable's name or would be there twice, NAME_DANGEROUS for one that makes programs
 * run code, and NOT_GRANTED for a --map of what was not read: a program would run without the
 * variable.
 */
export function variablesOf(secrets: readonly ReadSecret[], naming: Naming): Variable[] {
  const idle = naming.mappings.find((mapping) => !secrets.some((secret) => isOf(mapping, secret)));
  if (idle)
    throw new SallyportError("NOT_GRANTED", `no grant covers ${idle.secret}, which --map names`);
  // One that was named twice, by name and by id, is one.
  const variables = [...new Set(secrets)].flatMap((secret) => namedOf(secret, naming));
  const seen = new Map<string, string>();
  for (const { name, of } of variables) {
    checkName(name, of, naming);
    const before = seen.get(name);
    if (before !== undefined) throw new NameTaken(name, before, of);
    seen.set(name, of);
  }
  return variables.map(({ name, plaintext }) => ({ name, plaintext }));
}

/** Two secrets, or fields of them, would have one name. */
export class NameTaken extends CliError {
  constructor(name: string, before: string, of: string) {
    super("NAME_UNFIT", `${before} and ${of} would both be called ${name}`, {
      next: `rename one with --map NEW_NAME=${of}, or choose with --only, --except or --project`,
    });
  }
}

type Named = Variable & { readonly of: string };

function namedOf(secret: ReadSecret, { mappings, prefix }: Naming): Named[] {
  const own = mappings.filter((mapping) => isOf(mapping, secret));
  if (own.length === 0) return wholeOf(secret, prefix + secret.name);
  return own.flatMap(({ name, field }) =>
    field === undefined
      ? wholeOf(secret, name)
      : [{ name, plaintext: Buffer.from(fieldOf(secret, field)), of: `${keyOf(secret)}:${field}` }],
  );
}

function isOf({ secret: key }: Mapping, secret: ReadSecret): boolean {
  const { project, name } = secretKeyOf(key);
  if (project !== undefined && ![secret.project, secret.projectId].includes(project)) return false;
  return isId("sec", name) ? name === secret.secretId : name === secret.name;
}

// Returns its name as on the command line, so that it can be copied from the message.
function keyOf({ project, name }: ReadSecret): string {
  return project === undefined ? name : `${project}/${name}`;
}

function wholeOf(secret: ReadSecret, name: string): Named[] {
  const fields = fieldsOf(secret);
  if (!fields) return [{ name, plaintext: secret.plaintext, of: keyOf(secret) }];
  return [...fields].map(([field, content]) => ({
    name: `${name}_${field.toUpperCase()}`,
    plaintext: Buffer.from(content),
    of: `${keyOf(secret)}:${field}`,
  }));
}

function checkName(name: string, of: string, { identifiers, allowDangerousNames }: Naming): void {
  if (identifiers && !identifier.test(name))
    throw new CliError("NAME_UNFIT", `"${name}" cannot be the name of a variable`, {
      next: `give it another: --map ${suggestionOf(name)}=${of}`,
    });
  const danger = dangerOf(name);
  if (danger === undefined || allowDangerousNames) return;
  throw new CliError("NAME_DANGEROUS", `a variable ${name} is dangerous: ${danger}`, {
    next: `give it another name: --map NEW_NAME=${of}, or allow it with --allow-dangerous-names`,
  });
}

function suggestionOf(name: string): string {
  return name
    .replaceAll(/[^A-Za-z0-9_]/g, "_")
    .replace(/^(?=\d)/, "_")
    .toUpperCase();
}

/** The text of a value; undefined when it is not UTF-8. */
export function textOf(plaintext: Uint8Array): string | undefined {
  return isUtf8(plaintext) ? Buffer.from(plaintext).toString("utf8") : undefined;
}
