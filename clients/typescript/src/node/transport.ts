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

/** How to speak to the gateway; everything has a default. */
export type ConnectionOptions = RequestOptions & {
  /**
   * Where to keep the newest keyset's epoch; the file that loadIdentity read the identity from,
   * unless given.
   */
  readonly identityFile?: string;
  /** Where HTTPS_PROXY and NO_PROXY are looked for; the process's environment unless given. */
  readonly env?: NodeJS.ProcessEnv;
};

/**
 * The gateway's address, and the fingerprint of the root that everything behind it is trusted by.
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

/** A signed transport over HTTP/2. */
export type SignedTransport = Connection & {
  /** The link below it: requests sent there directly are neither signed nor verified. */
  readonly connection: Link;
};

/** Opens a signed transport over HTTP/2, by way of a proxy where the environment names one. */
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
