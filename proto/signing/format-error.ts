/**
 * Says that bytes or text do not have the form that SIGNING.md demands. The message never holds the
 * input.
 */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
