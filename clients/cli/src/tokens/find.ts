import type { Services } from "@sallyport/client";
import type { EnrollmentToken } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { UsageError } from "../app/failure.ts";
import { present, undefinedIfAbsent } from "../find/lookup.ts";

/**
 * Checks that a token is named by its id. Throws UsageError, which repeats nothing: it may be a
 * token's text.
 */
export function checkTokenId(typed: string): string {
  if (!isId("tok", typed))
    throw new UsageError(
      "a token is named by its id, tok_ and 20 characters, not by its text",
      '"sallyport token list" shows the ids',
    );
  return typed;
}

/** Finds a token by its id. Throws NOT_FOUND. */
export async function findToken(
  client: { readonly services: Pick<Services, "enrollment"> },
  tokenId: string,
): Promise<EnrollmentToken> {
  const answer = await client.services.enrollment.getToken({ tokenId }).catch(undefinedIfAbsent);
  return present(answer?.token, `token ${tokenId}`);
}
