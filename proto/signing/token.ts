import { base64urlnopad } from "@scure/base";
import { crc32 } from "./crc32.ts";
import { FormatError } from "./format-error.ts";

/** The kinds of text that admit a new key: an enrollment token, a login code. */
export type TokenKind = "enr" | "login";

/** The parts of a token text. `seed` is the secret half: 32 bytes, never sent to a server. */
export type TokenParts = {
  readonly id: string;
  readonly vaultId: string;
  readonly rootFingerprint: string;
  readonly seed: Uint8Array;
};

/** A parsed token text. */
export type ParsedToken = TokenParts & { readonly kind: TokenKind };

const names: Readonly<Record<TokenKind, string>> = {
  enr: "an enrollment token",
  login: "a login code",
};
const id = "[0-9a-hjkmnp-tv-z]{20}";
const bytes32 = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";
const form = new RegExp(
  `^sp_(?<kind>enr|login)_(?<id>tok_${id})\\.(?<vaultId>vlt_${id})\\.(?<rootFingerprint>${bytes32})\\.(?<seed>${bytes32})$`,
);

/**
 * Formats a token text: kind, id, vault, root fingerprint, seed and checksum (SIGNING §8). Throws
 * FormatError.
 */
export function formatToken(
  kind: TokenKind,
  { id, vaultId, rootFingerprint, seed }: TokenParts,
): string {
  const secret = base64urlnopad.encode(new Uint8Array(seed));
  const text = `sp_${kind}_${id}.${vaultId}.${rootFingerprint}.${secret}`;
  if (!form.test(text)) throw new FormatError("the parts do not make a token");
  return `${text}.${crc32(text)}`;
}

/**
 * Parses a token text (SIGNING §8), of the given kind if there is one. Throws a FormatError that
 * says what is wrong and repeats nothing of the text.
 */
export function parseToken(text: string, wanted?: TokenKind): ParsedToken {
  const lastDot = text.lastIndexOf(".");
  const checked = text.slice(0, Math.max(lastDot, 0));
  const { kind, ...parts } = form.exec(checked)?.groups ?? {};
  const { id, vaultId, rootFingerprint, seed } = parts;
  if (!isKind(kind) || !id || !vaultId || !rootFingerprint || !seed) {
    throw new FormatError(`this is not ${names[wanted ?? "enr"]}: copy it again, whole`);
  }
  if (text.slice(lastDot + 1) !== crc32(checked))
    throw new FormatError("the token has a typing error: copy it again");
  if (wanted !== undefined && kind !== wanted)
    throw new FormatError(`this is ${names[kind]}, not ${names[wanted]}`);
  return { kind, id, vaultId, rootFingerprint, seed: base64urlnopad.decode(seed) };
}

function isKind(kind: string | undefined): kind is TokenKind {
  return kind === "enr" || kind === "login";
}
