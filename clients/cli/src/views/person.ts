import { type ValueOf, nullable, object, text } from "../definition/shape.ts";
import type { Names } from "../find/names.ts";

/** Someone who did something: a user. */
export const personShape = (means: string) =>
  object(
    {
      userId: text("the user's id"),
      name: nullable(text("the user's name; null where it may not be seen")),
    },
    means,
  );

/** A user by id and, where it may be seen, by name. */
export type Person = ValueOf<ReturnType<typeof personShape>>;

/** The user of this id; null for none. */
export function person(userId: string, names: Names): Person | null {
  return userId === "" ? null : { userId, name: names.get(userId) ?? null };
}

/** The name of a user on the screen. */
export function personText(of: Person | null): string {
  return of === null ? "-" : (of.name ?? of.userId);
}
