import { Code } from "@connectrpc/connect";
import { contentTypeOf } from "@sallyport/proto/signing";
import type { ToolRequest } from "./exchange.ts";
import { ProxyRefusal } from "./refusal.ts";

const publicPath = /^\/sallyport\.[a-z]+\.v1\.[A-Za-z]+\/[A-Za-z]+$/;
const encodings = ["content-encoding", "grpc-encoding", "connect-content-encoding"] as const;
const streamingTypes = /^application\/(?:connect\+|grpc-web)/;

/**
 * Refuses what a tool of this computer's user would not send. A page in a browser could reach the
 * port as well: it betrays itself by Origin or Sec-Fetch-Site, by a media type that needs no
 * preflight, or by the name it had to resolve to this computer (DNS rebinding).
 */
export function checkRequest(request: ToolRequest, ownAuthorities: ReadonlySet<string>): void {
  const { method, path, authority, headers } = request;
  // Node's own fetch sends Sec-Fetch-Mode too, but only browsers say which site a request is of.
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined)
    throw new ProxyRefusal(Code.PermissionDenied, "requests of web pages are not signed");
  if (!ownAuthorities.has(authority.toLowerCase()))
    throw new ProxyRefusal(Code.PermissionDenied, `this proxy is not called "${authority}"`);
  if (method !== "POST") throw new ProxyRefusal(Code.Unimplemented, "only POST is signed");
  if (!publicPath.test(path))
    throw new ProxyRefusal(
      Code.Unimplemented,
      "only the public methods are there, without reflection: give the tool the .proto files",
    );
  checkType(request);
}

function checkType({ headers, httpVersion }: ToolRequest): void {
  const type = headers["content-type"] ?? "";
  if (streamingTypes.test(type))
    throw new ProxyRefusal(Code.Unimplemented, "streams and gRPC-Web are not signed");
  const known = contentTypeOf(type);
  if (!known)
    throw new ProxyRefusal(
      Code.InvalidArgument,
      "content-type is application/json, application/proto or application/grpc, and nothing " +
        "after it",
    );
  if (known === "grpc" && httpVersion !== 2)
    throw new ProxyRefusal(
      Code.InvalidArgument,
      "gRPC needs HTTP/2: let the tool speak it without TLS (h2c)",
    );
  for (const name of encodings) {
    if ((headers[name] ?? "identity") !== "identity")
      throw new ProxyRefusal(Code.Unimplemented, `${name} is not signed: switch compression off`);
  }
}
