import { type Sallyport, sallyportOver } from "../core/client.ts";
import type { Identity } from "./identity.ts";
import { type ConnectionOptions, openConnection } from "./transport.ts";

/** Opens a client for an identity over the Connect or the gRPC protocol. */
export function openSallyport(
  identity: Identity,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions = {},
): Sallyport {
  return sallyportOver(openConnection(identity, protocol, options), identity);
}
