import {
  FormatError,
  contentDigest,
  formatToken,
  isContentDigest,
  normaliseAuthority,
  parseKeyId,
  parseSignature,
  parseSignatureInput,
  parseToken,
  signatureParams,
} from "@sallyport/proto/signing";
import { type FuzzTarget, corpusOf } from "@sallyport/test/infra";

/**
 * A target whose input is a text; `read` writes again what it has read. FormatError is the only
 * refusal.
 */
function textTarget(
  name: string,
  words: readonly string[],
  read: (text: string) => string,
): FuzzTarget {
  return {
    name,
    seeds: corpusOf(name),
    words,
    accepts(input) {
      // Headers are latin1 on the wire, tokens and authorities what people type.
      const text = input.toString(name.startsWith("signature") ? "latin1" : "utf8");
      let written: string;
      try {
        written = read(text);
      } catch (error) {
        if (error instanceof FormatError) return false;
        throw error;
      }
      if (written !== text) throw new Error(`written again it is ${JSON.stringify(written)}`);
      return true;
    },
  };
}

const parameters = [
  ";created=",
  ";nonce=",
  ";keyid=",
  ";alg=",
  ";tag=",
  '"ed25519"',
  '"sallyport-v1"',
];
const dictionary = [
  "sp=",
  "sq=",
  "(",
  ")",
  '"',
  ";",
  ", ",
  ":",
  "=",
  "?1",
  "@1",
  '%"',
  " ",
  "\t",
  "\\",
  "*",
];
const names = [
  '"@method"',
  '"@authority"',
  '"@path"',
  '"content-type"',
  '"content-digest"',
  ";req",
  ";bs",
];

function readSignatureInput(text: string): string {
  const { signatureParams: member, ...parsed } = parseSignatureInput(text);
  const again = parseSignatureInput(`sp=${signatureParams(parsed)}`);
  if (
    again.keyId !== parsed.keyId ||
    again.nonce !== parsed.nonce ||
    again.created !== parsed.created
  )
    throw new Error("its parameters are read as others when they are written again");
  return `sp=${member}`;
}

function readDigest(text: string): string {
  if (!isContentDigest(text)) throw new FormatError("not a digest");
  const bytes = Buffer.from(text.slice("sha-256=:".length, -1), "base64");
  if (bytes.length !== 32 || contentDigest(bytes).length !== text.length)
    throw new Error("it is not 32 bytes");
  return `sha-256=:${bytes.toString("base64")}:`;
}

function readToken(text: string): string {
  const { kind, ...parts } = parseToken(text);
  return formatToken(kind, parts);
}

function readKeyId(text: string): string {
  const parsed = parseKeyId(text);
  if (parsed.kind === "newKey") return `key:${Buffer.from(parsed.publicKey).toString("base64url")}`;
  return parsed.kind === "user" ? `${parsed.principalId}${text.slice(24)}` : parsed.principalId;
}

// An authority may be written in several ways: what was made normal stays so.
function readAuthority(text: string): string {
  const normal = normaliseAuthority(text);
  if (normaliseAuthority(normal) !== normal) throw new Error(`${normal} is not normal`);
  return text;
}

/** The parsers of headers and of what people copy. */
export const textTargets: readonly FuzzTarget[] = [
  textTarget("signature-input", [...dictionary, ...names, ...parameters], readSignatureInput),
  textTarget(
    "signature",
    dictionary,
    (text) => `sp=:${Buffer.from(parseSignature(text)).toString("base64")}:`,
  ),
  textTarget("content-digest", ["sha-256=", "sha-512=", ":", "=", ", "], readDigest),
  textTarget("token-text", ["sp_", "enr_", "login_", "tok_", "vlt_", ".", "_", "-"], readToken),
  textTarget("key-id", ["mch_", "usr_", "key:", "."], readKeyId),
  textTarget("authority", ["[", "]", ":", ":443", ":0", "@", "/", "%25", "."], readAuthority),
];
