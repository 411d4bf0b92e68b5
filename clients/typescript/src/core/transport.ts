import { type Interceptor, type Transport, createClient } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpc } from "@connectrpc/connect/protocol-grpc";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { concatBytes } from "@sallyport/proto/signing";
import { base64 } from "@scure/base";
import type { Clock } from "./clock.ts";
import { toSallyportError } from "./errors.ts";
import { type KeysetKeeper, type Pinned, createKeysetKeeper } from "./keyset-keeper.ts";
import type { Signer } from "./signer.ts";
import { createVerifier, requestDigestHeader } from "./verifier.ts";
import { version } from "./version.ts";

/** Options of requests; all have defaults. */
export type RequestOptions = {
  /**
   * The name of the client in records; `sallyport-js/<version>` by default. A browser gives its own
   * instead.
   */
  readonly userAgent?: string;
  /**
   * Timeout of one attempt in milliseconds; 10 seconds by default, twice a gateway's timeout of a
   * request.
   */
  readonly attemptMs?: number;
  /** Cancels every call at any point. */
  readonly signal?: AbortSignal;
  /**
   * Called when the client corrects its clock after a CLOCK_SKEW of the gateway, with the offset
   * from the system's in milliseconds.
   */
  readonly onClockSet?: (correctionMs: number) => void;
};

/**
 * The gateway's address, and the fingerprint of the root that all trust in the deployment depends
 * on.
 */
export type PinnedUrl = Pinned & { readonly url: string };

/**
 * A transport that signs every request over the bytes sent and verifies every answer over the bytes
 * received; no request is ever sent twice.
 */
export type SignedTransport = {
  readonly transport: Transport;
  /** The keys by which answers are verified. */
  readonly keeper: KeysetKeeper;
};

/** A signed transport of one principal; `close` cancels every call on it. */
export type Connection = SignedTransport & { readonly close: () => void };

const maxReplyBytes = 4 * 1024 * 1024;
const frameHeadBytes = 5;
const defaultAttemptMs = 10_000;

/**
 * Makes a signed transport over a link in the Connect or the gRPC protocol. With the signer's clock
 * it signs and sends a request that was refused as CLOCK_SKEW once more, with the gateway's time.
 */
export function createSignedTransport(
  endpoint: PinnedUrl,
  signer: Signer,
  send: UniversalClientFn,
  protocol: "connect" | "grpc" = "connect",
  options: RequestOptions & { readonly clock?: Clock } = {},
): SignedTransport {
  const ask = () => createClient(ReadService, transport).getKeyset({});
  const keeper = createKeysetKeeper(endpoint, ask);
  const verifier = createVerifier(keeper, maxReplyBytes + frameHeadBytes);
  const correct = options.clock ? [correcting(options.clock, options.onClockSet)] : [];
  const transportOptions = {
    httpClient: verifier.contents(signing(send, signer, options)),
    baseUrl: endpoint.url,
    useBinaryFormat: true,
    interceptors: [...correct, verifier.refusals],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: maxReplyBytes,
    writeMaxBytes: maxReplyBytes,
    defaultTimeoutMs: options.attemptMs ?? defaultAttemptMs,
  };
  const transport: Transport =
    protocol === "connect" ? createConnect(transportOptions) : createGrpc(transportOptions);
  return { transport, keeper };
}

// Signed here, where the bytes are available: an interceptor sees messages, and two encodings of
// one message may differ.
function signing(
  send: UniversalClientFn,
  signer: Signer,
  options: RequestOptions,
): UniversalClientFn {
  return async (request) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body ?? []) chunks.push(chunk);
    const body = concatBytes(chunks);
    const { host, pathname } = new URL(request.url);
    const contentType = request.header.get("content-type") ?? "";
    const signed = await signer.sign({ authority: host, path: pathname, contentType }, body);
    const header = new Headers(request.header);
    for (const [name, value] of Object.entries(signed.headers)) header.set(name, value);
    header.set("user-agent", options.userAgent ?? `sallyport-js/${version}`);
    const content = (async function* () {
      yield body;
    })();
    const signals = [request.signal, options.signal].filter((signal) => signal !== undefined);
    const response = await send({
      ...request,
      header,
      body: content,
      signal: AbortSignal.any(signals),
    });
    // Overwrites a value that a server may have set.
    response.header.set(requestDigestHeader, base64.encode(signed.requestDigest));
    return response;
  };
}

function correcting(clock: Clock, onClockSet: RequestOptions["onClockSet"]): Interceptor {
  return (next) => async (request) => {
    const before = clock.corrections();
    try {
      return await next(request);
    } catch (error) {
      const { reason, metadata } = toSallyportError(error);
      if (reason !== "CLOCK_SKEW") throw error;
      // Of concurrent requests, the first one refused corrects the clock for the others.
      if (clock.corrections() === before) {
        const corrected = clock.correct(metadata["server_time"] ?? "");
        if (corrected === undefined) throw error;
        onClockSet?.(corrected);
      }
      return next(request);
    }
  };
}
