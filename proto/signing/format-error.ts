/**
 * Error: bytes or text do not have the form that SIGNING.md requires. The message never holds the
 * input.
 */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
