import { newIdBody } from "@sallyport/proto/ids";

/** A new keyid of a user: the user's id, and a second half as random as an id's (SIGNING §3). */
export function newKeyId(userId: string): string {
  return `${userId}.${newIdBody()}`;
}
