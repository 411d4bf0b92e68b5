import { type Client, type Transport, createClient } from "@connectrpc/connect";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";

/** The ways to the processes that secrets calls. */
export type PeerTransports = {
  readonly policy: Transport;
  readonly crypto: Transport;
  readonly audit: Transport;
};

/** The few methods of other processes that secrets calls. */
export type Peers = {
  readonly directory: Pick<
    Client<typeof DirectoryService>,
    "registerResources" | "retireResources" | "reinstateResources"
  >;
  readonly authorization: Pick<Client<typeof AuthorizationService>, "authorize">;
  readonly roles: Pick<Client<typeof RoleService>, "checkRoles" | "listRoles">;
  readonly seal: Pick<Client<typeof SealService>, "newProjectKey" | "seal" | "reseal">;
  readonly audit: Pick<Client<typeof AppendService>, "append">;
};

/** Makes the clients of the peers. */
export function createPeers({ policy, crypto, audit }: PeerTransports): Peers {
  return {
    directory: createClient(DirectoryService, policy),
    authorization: createClient(AuthorizationService, policy),
    roles: createClient(RoleService, policy),
    seal: createClient(SealService, crypto),
    audit: createClient(AppendService, audit),
  };
}
