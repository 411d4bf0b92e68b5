import { createPrivateKey } from "node:crypto";

/** Something secret that is looked for, under a name, in every form in which it may lie about. */
export type Canary = { readonly name: string; readonly forms: readonly Buffer[] };

/**
 * A secret text: as it is, in UTF-16, in hex, and in base64 wherever it begins among other bytes.
 */
export function textCanary(name: string, text: string): Canary {
  const bytes = Buffer.from(text);
  const wide = Buffer.from(text, "utf16le");
  return { name, forms: [bytes, wide, ...encodings(bytes)] };
}

/** Secret bytes, such as a key: as they are, in hex, and in base64 wherever they begin. */
export function bytesCanary(name: string, bytes: Uint8Array): Canary {
  return { name, forms: [Buffer.from(bytes), ...encodings(Buffer.from(bytes))] };
}

/** A private key of an elliptic curve in PEM: its lines, and the number that is the key. */
export function pemCanary(name: string, pem: string): Canary {
  const { d = "" } = createPrivateKey(pem).export({ format: "jwk" });
  const line = pem.split("\n")[1] ?? "";
  const key = Buffer.from(d, "base64url");
  return { name, forms: [Buffer.from(line), key, ...encodings(key)] };
}

function encodings(bytes: Buffer): Buffer[] {
  const hex = bytes.toString("hex");
  const base64 = [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // What the bytes around it would change is left out.
    const inner = text.slice(offset === 0 ? 0 : 4, -2);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [...new Set([hex, hex.toUpperCase(), ...base64])].map((text) => Buffer.from(text));
}

/**
 * Searches bytes for many canaries in one pass: what to compare is decided by the first two bytes
 * of each form.
 */
export type Search = (bytes: Buffer) => Map<string, number>;

/**
 * Makes a search; it tells how often each canary is in the bytes, by name. Those that are not there
 * are absent.
 */
export function searchFor(canaries: readonly Canary[]): Search {
  const beginnings = new Uint8Array(65_536);
  const byBeginning = new Map<number, { readonly name: string; readonly form: Buffer }[]>();
  for (const { name, forms } of canaries) {
    for (const form of forms) {
      const beginning = form.readUInt16BE();
      beginnings[beginning] = 1;
      byBeginning.set(beginning, [...(byBeginning.get(beginning) ?? []), { name, form }]);
    }
  }
  return (bytes) => {
    const counts = new Map<string, number>();
    let pair = bytes[0] ?? 0;
    for (let next = 1; next < bytes.length; next += 1) {
      pair = ((pair << 8) | (bytes[next] ?? 0)) & 0xffff;
      if (beginnings[pair] === 0) continue;
      for (const { name, form } of byBeginning.get(pair) ?? [])
        if (bytes.subarray(next - 1, next - 1 + form.length).equals(form))
          counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  };
}
