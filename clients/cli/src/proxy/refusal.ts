import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamToJson,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { SallyportError } from "@sallyport/client";
import { RetryInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import type { Answer } from "./exchange.ts";

/**
 * Why the proxy itself does not do what a tool asks for, and after how many milliseconds it may.
 */
export class ProxyRefusal extends Error {
  override readonly name = "ProxyRefusal";
  readonly code: Code;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

const untrusted = new Set(["REPLY_UNTRUSTED", "ROOT_CHANGED"]);

/** The refusal for what the client's library says of the gateway. */
export function refusalOf({ reason, message, retryAfterMs, cause }: SallyportError): ProxyRefusal {
  const told = cause instanceof ConnectError && reason !== "UNREACHABLE" ? cause.code : undefined;
  const code = untrusted.has(reason) ? Code.DataLoss : (told ?? Code.Unavailable);
  return new ProxyRefusal(code, message, retryAfterMs);
}

/**
 * A refusal as an answer in the tool's own protocol, so that it shows the sentence and not a broken
 * answer: gRPC and gRPC-Web take it from the headers when nothing follows (Trailers-Only),
 * Connect's streams from their last message, and everything else from JSON.
 */
export function refusalAnswer(contentType: string, refusal: ProxyRefusal): Answer {
  const { code, message, retryAfterMs } = refusal;
  const error = new ConnectError(`sallyport proxy: ${message}`, code);
  if (retryAfterMs !== undefined) {
    const value = { retryDelay: durationFromMs(Math.ceil(retryAfterMs)) };
    error.details.push({ desc: RetryInfoSchema, value });
  }
  const [grpc] =
    /^application\/grpc(?:-web(?:-text)?)?(?:\+[a-z]+)?(?![\w-])/.exec(contentType) ?? [];
  if (grpc !== undefined) {
    const headers = Object.fromEntries(
      setTrailerStatus(new Headers({ "content-type": grpc }), error),
    );
    return { status: 200, headers, body: new Uint8Array(), trailers: {} };
  }
  const [stream] = /^application\/connect\+(?:json|proto)/.exec(contentType) ?? [];
  if (stream !== undefined) {
    const end = Buffer.from(JSON.stringify(endStreamToJson(new Headers(), error, undefined)));
    const body = encodeEnvelope(endStreamFlag, end);
    return { status: 200, headers: { "content-type": stream }, body, trailers: {} };
  }
  const headers = { "content-type": "application/json" };
  const body = errorToJsonBytes(error, undefined);
  return { status: codeToHttpStatus(code), headers, body, trailers: {} };
}
