import { type Interceptor, type Transport, createClient } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpc } from "@connectrpc/connect/protocol-grpc";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import type { Clock } from "../core/clock.ts";
import { toSallyportError } from "../core/errors.ts";
import { type Identity, identityFileOf, rememberEpoch } from "./identity.ts";
import { type KeysetKeeper, type Pinned, createKeysetKeeper } from "../core/keyset-keeper.ts";
import { type Connection, type Endpoint, openConnection } from "./network/connection.ts";
import type { Signer } from "../core/signer.ts";
import { createVerifier, requestDigestHeader } from "../core/verifier.ts";
import { version } from "../core/version.ts";

/** How to speak to the gateway; everything has a default. */
export type ConnectionOptions = {
  /** What the client calls itself in records; `sallyport-js/<version>` by default. */
  readonly userAgent?: string;
  /**
   * How long one attempt may take, in milliseconds; 10 seconds by default, twice what a gateway
   * gives a request.
   */
  readonly attemptMs?: number;
  /**
   * Where to keep the newest keyset's epoch; the file that loadIdentity read the identity from,
   * unless given.
   */
  readonly identityFile?: string;
  /** Where HTTPS_PROXY and NO_PROXY are looked for; the process's environment unless given. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends every call, whatever it waits for. */
  readonly signal?: AbortSignal;
  /**
   * Told when the gateway's CLOCK_SKEW made the client correct its clock: how far it is now from
   * the system's, in ms.
   */
  readonly onClockSet?: (correctionMs: number) => void;
};

/**
 * Where the gateway is, and the fingerprint of the root that everything behind it is trusted by.
 */
export type PinnedEndpoint = Endpoint & Pinned;

/**
 * The endpoint of an identity, with what it has pinned; newer epochs are kept in the identity's
 * file.
 */
export function pinned(identity: Identity, options: ConnectionOptions = {}): PinnedEndpoint {
  const { url, ca, rootFingerprint, keyId, keysetEpoch } = identity;
  const file = options.identityFile ?? identityFileOf(identity);
  return {
    url,
    rootFingerprint,
    ...(ca === undefined ? {} : { ca }),
    ...(keysetEpoch === undefined ? {} : { keysetEpoch }),
    ...(file === undefined ? {} : { remember: (epoch) => rememberEpoch(file, keyId, epoch) }),
  };
}

/**
 * A transport whose every request is signed over the bytes it sends, and whose every answer is
 * verified over the bytes it gets; nothing is ever sent twice.
 */
export type SignedTransport = {
  readonly transport: Transport;
  /** The keys by which answers are verified. */
  readonly keeper: KeysetKeeper;
  /** What the requests go over; what is sent there by itself is neither signed nor verified. */
  readonly connection: Connection;
  readonly close: () => void;
};

const maxReplyBytes = 4 * 1024 * 1024;
const frameHeadBytes = 5;
const defaultAttemptMs = 10_000;

/**
 * Opens a signed transport over HTTP/2 in the Connect or the gRPC protocol. With the signer's clock
 * it signs a request that was refused as CLOCK_SKEW once more, by the gateway's time.
 */
export function createSignedTransport(
  endpoint: PinnedEndpoint,
  signer: Signer,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions & { readonly clock?: Clock } = {},
): SignedTransport {
  const connection = openConnection(endpoint, { env: options.env });
  const ask = () => createClient(ReadService, transport).getKeyset({});
  const keeper = createKeysetKeeper(endpoint, ask);
  const verifier = createVerifier(keeper, maxReplyBytes + frameHeadBytes);
  const correct = options.clock ? [correcting(options.clock, options.onClockSet)] : [];
  const transportOptions = {
    httpClient: verifier.contents(signing(connection.send, signer, options)),
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
  return { transport, keeper, connection, close: connection.close };
}

// Signed here, where the bytes are: an interceptor sees messages, and two encodings of one message
// may differ.
function signing(
  send: UniversalClientFn,
  signer: Signer,
  options: ConnectionOptions,
): UniversalClientFn {
  return async (request) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body ?? []) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { host, pathname } = new URL(request.url);
    const contentType = request.header.get("content-type") ?? "";
    const signed = signer.sign({ authority: host, path: pathname, contentType }, body);
    const header = new Headers(request.header);
    for (const [name, value] of Object.entries(signed.headers)) header.set(name, value);
    header.set("user-agent", options.userAgent ?? `sallyport-js/${version}`);
    const content = (async function* () {
      yield new Uint8Array(body);
    })();
    const signals = [request.signal, options.signal].filter((signal) => signal !== undefined);
    const response = await send({
      ...request,
      header,
      body: content,
      signal: AbortSignal.any(signals),
    });
    // Overwrites whatever a server may have put there.
    response.header.set(requestDigestHeader, Buffer.from(signed.requestDigest).toString("base64"));
    return response;
  };
}

function correcting(clock: Clock, onClockSet: ConnectionOptions["onClockSet"]): Interceptor {
  return (next) => async (request) => {
    const before = clock.corrections();
    try {
      return await next(request);
    } catch (error) {
      const { reason, metadata } = toSallyportError(error);
      if (reason !== "CLOCK_SKEW") throw error;
      // Of requests under way together, the first to be refused corrects the clock, and the others
      // profit.
      if (clock.corrections() === before) {
        const corrected = clock.correct(metadata["server_time"] ?? "");
        if (corrected === undefined) throw error;
        onClockSet?.(corrected);
      }
      return next(request);
    }
  };
}
