import { createClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import type { Pinned } from "../core/keyset-keeper.ts";
import type { Signer } from "../core/signer.ts";
import {
  type Connection,
  type RequestOptions,
  createSignedTransport as createOverLink,
} from "../core/transport.ts";
import { type Identity, identityFileOf, rememberEpoch } from "./identity.ts";
import {
  type Connection as Link,
  type Endpoint,
  openConnection as openLink,
} from "./network/connection.ts";
import { createSigner } from "./signer.ts";

/** Options of the connection to the gateway; all have defaults. */
export type ConnectionOptions = RequestOptions & {
  /**
   * The file that keeps the newest keyset's epoch; the file that loadIdentity read the identity
   * from, unless given.
   */
  readonly identityFile?: string;
  /** The environment with HTTPS_PROXY and NO_PROXY; the process's own unless given. */
  readonly env?: NodeJS.ProcessEnv;
};

/**
 * The gateway's address, and the fingerprint of the root that all trust in the deployment depends
 * on.
 */
export type PinnedEndpoint = Endpoint & Pinned;

/**
 * Returns the endpoint of an identity with its pinned root and epoch; newer epochs are kept in the
 * identity's file.
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

/** A signed transport over HTTP/2. */
export type SignedTransport = Connection & {
  /** The underlying link: requests sent on it directly are neither signed nor verified. */
  readonly connection: Link;
};

/** Opens a signed transport over HTTP/2, through a proxy where the environment names one. */
export function createSignedTransport(
  endpoint: PinnedEndpoint,
  signer: Signer,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions & { readonly clock?: Clock } = {},
): SignedTransport {
  const connection = openLink(endpoint, { env: options.env });
  const { send, close } = connection;
  return { ...createOverLink(endpoint, signer, send, protocol, options), connection, close };
}

/** Opens the signed transport of an identity. */
export function openConnection(
  identity: Identity,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions = {},
): Connection {
  const clock = createClock();
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId, clock.now);
  return createSignedTransport(pinned(identity, options), signer, protocol, { ...options, clock });
}
