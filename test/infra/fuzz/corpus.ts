import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", "..", "attacks", "fuzz", "corpus");

/**
 * The kept inputs of a target: a JSON list of texts, or of objects with `base64` for what is no
 * text.
 */
export function corpusOf(name: string): Uint8Array[] {
  const inputs: unknown = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  if (!Array.isArray(inputs)) throw new Error(`the corpus of ${name} is no list`);
  return inputs.map((input: unknown) => {
    if (typeof input === "string") return Buffer.from(input);
    const base64 =
      typeof input === "object" && input !== null && "base64" in input ? input.base64 : undefined;
    if (typeof base64 !== "string") throw new Error(`the corpus of ${name} holds something else`);
    return Buffer.from(base64, "base64");
  });
}
