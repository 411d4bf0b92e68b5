import { toSallyportError } from "@sallyport/client";
import { CliError } from "../app/failure.ts";

/**
 * Throws on what restoring failed with; says what can be done where another has taken the name:
 * there is no renaming.
 */
export function notRestored(error: unknown): never {
  const known = toSallyportError(error);
  if (known.reason !== "ALREADY_EXISTS") throw known;
  throw new CliError("ALREADY_EXISTS", "another has this name now", {
    next: "delete the other first, or leave this one deleted",
  });
}
