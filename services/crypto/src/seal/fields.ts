import { isUtf8 } from "node:buffer";

/** A plaintext is not a JSON object of named string fields. The message never holds any of it. */
export class FieldsError extends Error {
  override readonly name = "FieldsError";
}

const maxFields = 64;
const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const maxNameBytes = 128;
const notAnObject = "is not one JSON object of named strings";

const quote = 0x22;
const backslash = 0x5c;
const hexDigit = /^[0-9A-Fa-f]{4}$/;
const escapes = Buffer.from('"\\/bfnrt');
const spaces = Buffer.from(" \t\n\r");

/**
 * Reads the names of the fields of a plaintext, sorted: a UTF-8 JSON object of 1 to 64 strings,
 * names as identifiers, written without escapes, none twice. Throws FieldsError.
 *
 * Security: values are stepped over, never made into JavaScript strings, which cannot be zeroed.
 */
export function fieldNamesOf(plaintext: Uint8Array): string[] {
  if (!isUtf8(plaintext)) throw new FieldsError("is not UTF-8");
  const names = new Set<string>();
  let at = after(plaintext, 0, "{");
  for (;;) {
    const end = endOfString(plaintext, at);
    addName(names, plaintext.subarray(at + 1, end - 1));
    at = endOfString(plaintext, after(plaintext, end, ":"));
    at = skipSpace(plaintext, at);
    if (plaintext[at] !== charCode(",")) break;
    at = skipSpace(plaintext, at + 1);
  }
  if (after(plaintext, at, "}") !== plaintext.length) throw new FieldsError(notAnObject);
  return [...names].sort();
}

function addName(names: Set<string>, bytes: Uint8Array): void {
  const name = bytes.length <= maxNameBytes ? Buffer.from(bytes).toString("latin1") : "";
  if (!nameForm.test(name))
    throw new FieldsError("has a field whose name is not an identifier of at most 128 characters");
  if (names.has(name)) throw new FieldsError("has a field twice");
  names.add(name);
  if (names.size > maxFields) throw new FieldsError("has more than 64 fields");
}

/** Returns where the next token begins, after this character and the space around it. */
function after(json: Uint8Array, at: number, character: string): number {
  const found = skipSpace(json, at);
  if (json[found] !== charCode(character)) throw new FieldsError(notAnObject);
  return skipSpace(json, found + 1);
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (spaces.includes(json[at] ?? 0)) at += 1;
  return at;
}

/** Returns where the string that begins here ends, after its closing quote (RFC 8259 §7). */
function endOfString(json: Uint8Array, from: number): number {
  if (json[from] !== quote) throw new FieldsError(notAnObject);
  for (let at = from + 1; at < json.length;) {
    const byte = json[at] ?? 0;
    if (byte === quote) return at + 1;
    if (byte < 0x20) throw new FieldsError(notAnObject);
    at += byte === backslash ? escapeBytes(json, at) : 1;
  }
  throw new FieldsError(notAnObject);
}

function escapeBytes(json: Uint8Array, at: number): number {
  const escaped = json[at + 1] ?? 0;
  if (escapes.includes(escaped)) return 2;
  const digits = Buffer.from(json.subarray(at + 2, at + 6)).toString("latin1");
  if (escaped === charCode("u") && hexDigit.test(digits)) return 6;
  throw new FieldsError(notAnObject);
}

function charCode(character: string): number {
  return character.charCodeAt(0);
}
