import { type DescField, type DescMessage } from "@bufbuild/protobuf";

/**
 * Returns whether any object of a valid JSON text repeats a key. JSON.parse keeps the last of them,
 * another parser may keep the first, so that two processes would read different messages from the
 * same text.
 */
export function hasDuplicateKeys(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = endOfString(text, index);
      if (isKey(text, end) && !addKey(open.at(-1), text.slice(index, end))) return true;
      index = end - 1;
    }
  }
  return false;
}

// The index after the closing quote; the text was parsed before, so there is one.
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index + 1;
}

function isKey(text: string, end: number): boolean {
  let index = end;
  while (" \t\n\r".includes(text[index] ?? "x")) index += 1;
  return text[index] === ":";
}

// "\u0061" and "a" are the same key.
function addKey(keys: Set<string> | undefined, literal: string): boolean {
  const key = String(JSON.parse(literal));
  if (!keys || keys.has(key)) return false;
  keys.add(key);
  return true;
}

/**
 * Returns whether a parsed JSON value gives one field under both of its names, such as `page_size`
 * and `pageSize`.
 */
export function hasDoublyNamedFields(schema: DescMessage, value: unknown): boolean {
  if (!isObject(value)) return false;
  return schema.fields.some((field) => {
    const twice =
      field.name !== field.jsonName &&
      Object.hasOwn(value, field.name) &&
      Object.hasOwn(value, field.jsonName);
    const given = value[Object.hasOwn(value, field.name) ? field.name : field.jsonName];
    return (
      twice || messagesIn(field, given).some(([inner, item]) => hasDoublyNamedFields(inner, item))
    );
  });
}

function messagesIn(field: DescField, value: unknown): (readonly [DescMessage, unknown])[] {
  const { message } = field;
  if (!message) return [];
  const list = field.fieldKind === "list" && Array.isArray(value);
  const items: unknown[] = list
    ? value
    : field.fieldKind === "map" && isObject(value)
      ? Object.values(value)
      : [value];
  return items.map((item) => [message, item]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
