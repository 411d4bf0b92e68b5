import { Code, ConnectError } from "@connectrpc/connect";
import {
  type UniversalClientFn,
  universalClientResponseFromFetch,
} from "@connectrpc/connect/protocol";

/** The part of a runtime's fetch that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Makes a link to a gateway over fetch. A request that gets no response is UNAVAILABLE, as fetch
 * gives no further details.
 *
 * Security: a redirect is an error, since a signature is valid for one address.
 */
export function linkOver(fetch: Fetch): UniversalClientFn {
  return async ({ url, method, header, body, signal }) => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of body ?? []) chunks.push(new Uint8Array(chunk));
    const init = {
      method,
      headers: header,
      body: new Blob(chunks),
      signal: signal ?? null,
      redirect: "error",
      credentials: "omit",
      cache: "no-store",
    } as const;
    const response = await fetch(url, init).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw new ConnectError(
        `no response of the gateway: ${error instanceof Error ? error.message : String(error)}`,
        Code.Unavailable,
        undefined,
        undefined,
        error,
      );
    });
    const { status, body: content, trailer } = universalClientResponseFromFetch(response);
    return { status, body: content, trailer, header: new Headers(response.headers) };
  };
}
