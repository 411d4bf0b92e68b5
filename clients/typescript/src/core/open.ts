import { createClock } from "./clock.ts";
import { type Sallyport, sallyportOver } from "./client.ts";
import type { SigningKey } from "./ed25519.ts";
import { type Fetch, linkOver } from "./fetch-link.ts";
import { type Reader, readerOver } from "./reader.ts";
import { createSigner } from "./signer.ts";
import {
  type Connection,
  type PinnedUrl,
  type RequestOptions,
  createSignedTransport,
} from "./transport.ts";

/** A principal, its deployment, and the pinned facts of that deployment. */
export type Principal = PinnedUrl & {
  readonly vaultId: string;
  readonly principalId: string;
  readonly keyId: string;
};

/** Options of requests over fetch; the runtime's own fetch unless another is given. */
export type FetchOptions = RequestOptions & { readonly fetch?: Fetch };

/** Opens a client that only reads, over the Connect protocol and fetch. */
export function openReader(
  principal: Omit<Principal, "vaultId" | "principalId">,
  key: SigningKey,
  options: FetchOptions = {},
): Reader {
  return readerOver(openConnection(principal, key, options));
}

/** Opens a full client, over the Connect protocol and fetch. */
export function openSallyport(
  principal: Principal,
  key: SigningKey,
  options: FetchOptions = {},
): Sallyport {
  return sallyportOver(openConnection(principal, key, options), principal);
}

function openConnection(
  principal: Omit<Principal, "vaultId" | "principalId">,
  key: SigningKey,
  { fetch = (url, init) => globalThis.fetch(url, init), ...options }: FetchOptions,
): Connection {
  const closed = new AbortController();
  const clock = createClock();
  const signer = createSigner(key, principal.keyId, clock.now);
  const signal = options.signal ? AbortSignal.any([options.signal, closed.signal]) : closed.signal;
  const made = createSignedTransport(principal, signer, linkOver(fetch), "connect", {
    ...options,
    signal,
    clock,
  });
  return { ...made, close: () => closed.abort() };
}
