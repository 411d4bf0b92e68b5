import { type AnswerKeys, toSallyportError, verifyForeignAnswer } from "@sallyport/client";
import type { Answer } from "./exchange.ts";
import { refusalOf } from "./refusal.ts";

/**
 * Verifies an answer for a tool that cannot: what its owner did not sign is refused, and never
 * shown.
 */
export async function verifyForTool(
  { status, headers, body, trailers }: Answer,
  asked: { readonly path: string; readonly requestDigest: Uint8Array },
  keys: AnswerKeys,
): Promise<void> {
  const answer = { status, header: headersOf(headers), body, trailer: headersOf(trailers) };
  await verifyForeignAnswer(answer, asked, keys).catch((error: unknown) => {
    throw refusalOf(toSallyportError(error));
  });
}

function headersOf(headers: Answer["headers"]): Headers {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return new Headers(pairs);
}
