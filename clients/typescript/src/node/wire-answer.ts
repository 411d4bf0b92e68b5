import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  type AnswerKeys,
  type WireAnswer,
  ownerOf,
  verifyWireContent,
  verifyWireRefusal,
} from "../core/verifier.ts";

/** An answer in the Connect or the gRPC protocol, as received. */
export type ForeignAnswer = WireAnswer & { readonly header: Headers; readonly trailer: Headers };

/**
 * Verifies an answer for a tool that cannot verify it (SIGNING §11). The read and the keyset pass:
 * they carry a signature of their own. Throws REPLY_UNTRUSTED.
 */
export async function verifyForeignAnswer(
  answer: ForeignAnswer,
  { path, requestDigest }: { readonly path: string; readonly requestDigest: Uint8Array },
  keys: AnswerKeys,
): Promise<void> {
  const owner = ownerOf(path);
  if (owner === "itself") return;
  const asked = { owner, requestDigest };
  if (await verifyWireContent(answer, asked, keys)) return;
  const error = errorOf(answer);
  if (error) await verifyWireRefusal(error, asked, keys);
}

function errorOf({ header, body, trailer }: ForeignAnswer): ConnectError | undefined {
  if ((header.get("content-type") ?? "").startsWith("application/grpc"))
    return findTrailerError(trailer.has("grpc-status") ? trailer : header);
  return errorFromJsonBytes(
    body,
    header,
    new ConnectError("no error of a deployment", Code.Unknown),
  );
}
