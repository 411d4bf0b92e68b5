import { pageTokenInvalid } from "@sallyport/forward";
import { isId } from "@sallyport/proto/ids";

/**
 * The point after which a listing by name continues: names of the deleted may occur twice, so
 * the id decides between them.
 */
export type Cursor = { readonly name: string; readonly id: string };

/**
 * The page token of a cursor: the name in base64url and the id, at most 196 characters for names
 * of 128 bytes.
 */
export function tokenOfCursor({ name, id }: Cursor): string {
  return `${Buffer.from(name).toString("base64url")}.${id}`;
}

/**
 * The cursor that a page token continues after, before all others for the first page. Throws
 * FIELD_INVALID for other texts.
 */
export function cursorOfToken(token: string): Cursor {
  if (token === "") return { name: "", id: "" };
  const [encoded = "", id = ""] = token.split(".");
  const cursor = { name: Buffer.from(encoded, "base64url").toString(), id };
  const isCursor =
    (isId("prj", id) || isId("sec", id)) && cursor.name !== "" && !cursor.name.includes("\0");
  if (!isCursor || tokenOfCursor(cursor) !== token) throw pageTokenInvalid();
  return cursor;
}

/**
 * The version that a page token continues below, beyond all versions for the first page. Throws
 * FIELD_INVALID.
 */
export function versionOfToken(token: string): number {
  if (token === "") return Number.MAX_SAFE_INTEGER;
  if (!/^[1-9]\d{0,9}$/.test(token)) throw pageTokenInvalid();
  return Number(token);
}
