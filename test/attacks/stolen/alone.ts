import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { System } from "@sallyport/deploy/local";
import { type SallyportError, openSallyport, toSallyportError } from "@sallyport/client";
import { valuesOf } from "../../system/deployment.ts";
import { type Field, canaries, formerValue } from "../field.ts";

/**
 * Everything that nobody should find outside its place: every value, former ones too, and the
 * machines' seeds.
 */
export function secretBytes({ machine, neighbour, foreign, owner, token }: Field): Buffer[] {
  const values = [...Object.values(canaries), formerValue].map((value) => Buffer.from(value));
  const seeds = [machine, neighbour, foreign.machine, owner, foreign.owner].map(({ seed }) =>
    Buffer.from(seed, "base64"),
  );
  return [...values, ...seeds, Buffer.from(token.split(".")[3] ?? token, "base64url")];
}

/** Which of the secrets stand in the bytes, as they are or written as hex or base64. */
export function foundIn(bytes: Buffer, secrets: readonly Buffer[]): string[] {
  const forms = secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret.toString("hex")),
    Buffer.from(secret.toString("base64").replace(/=+$/, "")),
    Buffer.from(secret.toString("base64url")),
  ]);
  return forms
    .filter((form) => form.length > 0 && bytes.includes(form))
    .map((form) => form.toString("hex"));
}

/** All that a process has on disk, by file. */
export function folderOf(
  { layout }: System,
  process: Parameters<System["child"]>[0],
): Map<string, Buffer> {
  const folder = layout.folder(process);
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

/** What an honest client of that identity reads: the values by name, or why not. */
export async function readAs(
  identity: Field["machine"],
  secretIds: readonly string[],
  version?: number,
): Promise<Record<string, string> | SallyportError["reason"]> {
  const reader = openSallyport(identity);
  try {
    const target = version === undefined ? { secretIds } : { secretIds, version };
    return valuesOf(await reader.read(target));
  } catch (error) {
    return toSallyportError(error).reason;
  } finally {
    reader.close();
  }
}
