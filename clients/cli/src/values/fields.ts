import { SallyportError } from "@sallyport/client/error";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { CliError } from "../app/failure.ts";
import type { ReadSecret } from "./select.ts";

/** The fields of a secret by name; undefined for a single value. */
export function fieldsOf(secret: ReadSecret): ReadonlyMap<string, string> | undefined {
  if (secret.valueKind !== ValueKind.FIELDS) return undefined;
  const value: unknown = JSON.parse(Buffer.from(secret.plaintext).toString("utf8"));
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return new Map(entries.map(([name, content]) => [name, textOf(content, secret.name)]));
}

function textOf(content: unknown, name: string): string {
  // Crypto took it in as an object of texts and nothing else.
  if (typeof content !== "string")
    throw new SallyportError("REPLY_UNTRUSTED", `${name} has a field that is no text`);
  return content;
}

/** One field of a secret; VALUE_UNFIT when it has no such field. */
export function fieldOf(secret: ReadSecret, field: string): string {
  const fields = fieldsOf(secret);
  const content = fields?.get(field);
  if (content !== undefined) return content;
  const has = fields ? `its fields are ${[...fields.keys()].join(", ")}` : "it is a single value";
  throw new CliError("VALUE_UNFIT", `${secret.name} has no field ${field}: ${has}`, {
    next: fields ? "name one of them" : "leave the field out",
  });
}
