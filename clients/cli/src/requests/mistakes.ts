import { createHash } from "node:crypto";
import { verifyBytes } from "@sallyport/client/keys";
import type { ParsedRequest } from "@sallyport/proto/verifying";

type Variant = readonly [mistake: string, of: (base: Buffer) => Uint8Array];

const text = (change: (base: string) => string) => (base: Buffer) =>
  Buffer.from(change(base.toString("latin1")));
const hashed = (algorithm: string) => (base: Buffer) => createHash(algorithm).update(base).digest();

/** Bytes that foreign signers were seen to sign instead of the base. */
const variants: readonly Variant[] = [
  ["a line feed behind it", text((base) => `${base}\n`)],
  ["carriage returns at its line ends", text((base) => base.replaceAll("\n", "\r\n"))],
  [
    "the label sp= in its last line",
    text((base) => base.replace(/"@signature-params": /, "$&sp=")),
  ],
  ["another order of lines: the parameters first", text(paramsFirst)],
  ["@method in lower case", text((base) => base.replace(/^"@method": POST/, '"@method": post'))],
  ["https:// before the authority", text((base) => base.replace(/"@authority": /, "$&https://"))],
  ["port 443 in the authority", text((base) => base.replace(/("@authority": .*)/, "$1:443"))],
  ["no port in the authority", text((base) => base.replace(/("@authority": .*):\d+/, "$1"))],
  ["names without quotes", text((base) => base.replaceAll(/^"([^"]+)":/gm, "$1:"))],
  ["its SHA-256", hashed("sha256")],
  ["its SHA-512", hashed("sha512")],
];

function paramsFirst(base: string): string {
  const lines = base.split("\n");
  return [...lines.slice(-1), ...lines.slice(0, -1)].join("\n");
}

/**
 * Which mistake a signature that does not hold comes of, where it holds over what that mistake
 * signs.
 */
export function likelyMistake({ base, signature }: ParsedRequest, publicKey: Uint8Array): string {
  const right = Buffer.from(base);
  const found = variants.find(([, of]) => verifyBytes(publicKey, of(right), signature));
  return found
    ? `it holds over the base with this mistake: ${found[0]}`
    : "it is another key's, or over another text than the base below";
}
