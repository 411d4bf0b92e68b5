import { connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type Endpoint,
  type PinnedEndpoint,
  type SignedTransport,
  type Signer,
  createClock,
  createSignedTransport,
  createSigner,
  toSallyportError,
} from "@sallyport/client";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { exchange } from "../infra/exchange.ts";
import type { Answer } from "./history.ts";

/** A signed request as it went over the wire. */
export type Captured = {
  readonly path: string;
  readonly digest: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/**
 * How long a client waits for an answer, in milliseconds: longer than any process gives a request.
 */
const attemptMs = 8_000;

/** Opens a product's own signed transport that tells of every request it signs. */
export function openCapturing(
  endpoint: PinnedEndpoint,
  key: { readonly seed: Uint8Array; readonly keyId?: string },
  protocol: "connect" | "grpc",
  onSigned: (captured: Captured) => void,
): SignedTransport {
  const clock = createClock();
  const signer = createSigner(key.seed, key.keyId, clock.now);
  const capturing: Signer = {
    ...signer,
    sign(target, body) {
      const signed = signer.sign(target, body);
      onSigned({
        path: target.path,
        digest: hex(signed.requestDigest),
        headers: { "content-type": target.contentType, ...signed.headers },
        body: Uint8Array.from(body),
      });
      return signed;
    },
  };
  return createSignedTransport(endpoint, capturing, protocol, { clock, attemptMs });
}

/** Runs a request and says what came of it. */
export async function answerOf<T>(action: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { kind: "done", value: await action() };
  } catch (error) {
    const { reason, retryAfterMs, metadata, message } = toSallyportError(error);
    if (reason !== "UNREACHABLE")
      return { kind: "refused", reason, retryAfterMs, metadata, message };
    return { kind: "unanswered", cause: metadata["cause"] ?? message };
  }
}

/** Sends a captured request once more, byte for byte, over a connection of its own. */
export async function replay(
  { url, ca }: Endpoint,
  { path, headers, body }: Captured,
): Promise<Answer<null>> {
  const session = connect(url, { ca });
  session.on("error", () => undefined); // The stream tells of it.
  session.setTimeout(attemptMs, () => session.destroy(new Error("TIMEOUT")));
  try {
    const { status, text } = await exchange(session, path, headers, body);
    if (status === 200) return { kind: "done", value: null };
    return refusalOf(text) ?? { kind: "unanswered", cause: `HTTP ${status}` };
  } catch (error) {
    return { kind: "unanswered", cause: error instanceof Error ? error.message : String(error) };
  } finally {
    session.destroy();
  }
}

/** Reads a refusal of the Connect protocol; undefined when it is none of ours. */
function refusalOf(body: string): Answer<null> | undefined {
  const error: unknown = parsed(body);
  const info = detailOf(error, "google.rpc.ErrorInfo");
  if (info === undefined) return undefined;
  const retry = detailOf(error, "google.rpc.RetryInfo");
  const { retryDelay } = retry ? fromBinary(RetryInfoSchema, retry) : {};
  const retryAfterMs = retryDelay ? durationMs(retryDelay) : undefined;
  return { kind: "refused", reason: fromBinary(ErrorInfoSchema, info).reason, retryAfterMs };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function detailOf(error: unknown, type: string): Uint8Array | undefined {
  if (typeof error !== "object" || error === null || !("details" in error)) return undefined;
  const details: unknown = error.details;
  if (!Array.isArray(details)) return undefined;
  for (const detail of details as unknown[]) {
    if (
      typeof detail !== "object" ||
      detail === null ||
      !("type" in detail) ||
      !("value" in detail)
    )
      continue;
    if (detail.type === type && typeof detail.value === "string")
      return Buffer.from(detail.value, "base64");
  }
  return undefined;
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
