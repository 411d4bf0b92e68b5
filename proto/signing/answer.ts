import { labelled, LABELS } from "./labels.ts";

/** A process that owns public methods and signs its answers with a key of its own. */
export type AnswerOwner = (typeof answerOwners)[number];

/** Every owner; a keyset holds an answer key of each. */
export const answerOwners = ["identity", "policy", "secrets", "audit"] as const;

/**
 * The response header with the SignedAnswer, serialised, in base64url without padding (SIGNING
 * §11).
 */
export const answerHeader = "sallyport-answer";

const readService = "/sallyport.gateway.v1.ReadService/";
const boundaryForm = /^\/sallyport\.([a-z]+)\.v1\.[A-Za-z]+\/[A-Za-z]+$/;

/**
 * Returns the owner whose answer key must have signed the answer to a method, by the method's path:
 * the boundary in the name of its service. "itself" for the read and the keyset, which carry a
 * signature of their own; undefined for a path that is no public method of ours.
 */
export function answerOwnerOf(path: string): AnswerOwner | "itself" | undefined {
  if (path === `${readService}ReadSecrets` || path === `${readService}GetKeyset`) return "itself";
  if (path === `${readService}ListReadableSecrets`) return "secrets";
  const [, boundary] = boundaryForm.exec(path) ?? [];
  return answerOwners.find((owner) => owner === boundary);
}

/** The bytes that an owning service signs: the labelled payload of a SignedAnswer (SIGNING §11). */
export function answerPreimage(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return labelled(LABELS.answer, payload);
}
