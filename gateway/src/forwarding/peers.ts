import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { OpenService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import type { Owner } from "./routes.ts";

/**
 * A transport to each process that the gateway may call, and a second one to identity for its keys:
 * a look-up, for which requests wait, must not queue behind requests that strangers have forwarded
 * to identity.
 */
export type PeerTransports = { readonly [P in Owner | "crypto" | "keys"]: Transport };

/** The only calls that the gateway can make to other processes. */
export type Peers = {
  readonly keys: Client<typeof KeyService>;
  readonly authorization: Client<typeof AuthorizationService>;
  readonly fetch: Client<typeof FetchService>;
  readonly open: Client<typeof OpenService>;
  readonly append: Client<typeof AppendService>;
  readonly owners: { readonly [O in Owner]: Client<typeof ForwardService> };
};

/** Makes the clients over the transports. */
export function createPeers(transports: PeerTransports): Peers {
  return {
    keys: createClient(KeyService, transports.keys),
    authorization: createClient(AuthorizationService, transports.policy),
    fetch: createClient(FetchService, transports.secrets),
    open: createClient(OpenService, transports.crypto),
    append: createClient(AppendService, transports.audit),
    owners: {
      identity: createClient(ForwardService, transports.identity),
      policy: createClient(ForwardService, transports.policy),
      secrets: createClient(ForwardService, transports.secrets),
      audit: createClient(ForwardService, transports.audit),
    },
  };
}
