import { type Reader, readerOver } from "../core/reader.ts";
import type { Identity } from "./identity.ts";
import { type ConnectionOptions, openConnection } from "./transport.ts";

/** Opens a client that only reads; it loads faster than openSallyport. */
export function openReader(
  identity: Identity,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions = {},
): Reader {
  return readerOver(openConnection(identity, protocol, options));
}
