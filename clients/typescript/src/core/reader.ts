import { create } from "@bufbuild/protobuf";
import { type Transport, createClient } from "@connectrpc/connect";
import { KeyUse, SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadableSecret,
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { createClock } from "./clock.ts";
import { guarded } from "./errors.ts";
import type { Identity } from "../node/identity.ts";
import type { KeysetKeeper } from "./keyset-keeper.ts";
import type { TrustedKeys } from "./keyset.ts";
import { type OpenedReply, type ReadResult, openReply } from "./reply.ts";
import { createRecipient } from "./seal.ts";
import { createSigner } from "./signer.ts";
import { type ConnectionOptions, createSignedTransport, pinned } from "../node/transport.ts";
import { requestDigestHeader } from "./verifier.ts";

/**
 * What to read: named secrets (one of them in an older version, if wished), a project, or
 * everything granted.
 */
export type ReadTarget =
  | { readonly secretIds: readonly string[]; readonly version?: number }
  | { readonly projectId: string }
  | { readonly allGranted: true };

/** The deployment as its keyset shows it, after the keyset was verified against the pinned root. */
export type DeploymentFacts = {
  readonly epoch: number;
  readonly keysetNotAfterMs: number;
  /** When the signer of keysets ends, which the root has to renew. */
  readonly signerNotAfterMs: number;
  /** The gateway's clock when it answered; undefined when it did not say. */
  readonly serverTimeMs: number | undefined;
};

/** What a machine does: read, and ask what it may read. Every method throws a SallyportError. */
export type Reader = {
  /**
   * Reads secrets in one signed request a page, sealed to a key of this call, and verifies the
   * reply.
   */
  read(target: ReadTarget, options?: { readonly allOrNothing?: boolean }): Promise<ReadResult[]>;
  /** Names what this machine may read. */
  listReadable(projectId?: string): Promise<ReadableSecret[]>;
  /** Fetches and verifies the keyset, which the next read then need not do. */
  checkDeployment(): Promise<DeploymentFacts>;
  readonly close: () => void;
};

/** A signed connection of one principal, and the keys of the deployment that it speaks to. */
export type Connection = {
  readonly transport: Transport;
  /** The deployment's keys, fetched when needed and verified against the pinned root. */
  readonly trustedKeys: () => Promise<TrustedKeys>;
  readonly keeper: KeysetKeeper;
  readonly checkDeployment: () => Promise<DeploymentFacts>;
  readonly close: () => void;
};

/** Opens a client that only reads; it loads faster than openSallyport. */
export function openReader(
  identity: Identity,
  protocol: "connect" | "grpc" = "connect",
  options: ConnectionOptions = {},
): Reader {
  return readerOver(openConnection(identity, protocol, options));
}

/** Opens a signed connection for an identity. */
export function openConnection(
  identity: Identity,
  protocol: "connect" | "grpc",
  options: ConnectionOptions,
): Connection {
  const clock = createClock();
  const signer = createSigner(Buffer.from(identity.seed, "base64"), identity.keyId, clock.now);
  const signed = createSignedTransport(pinned(identity, options), signer, protocol, {
    ...options,
    clock,
  });
  const { transport, keeper, close } = signed;
  return {
    transport,
    close,
    keeper,
    trustedKeys: () => keeper.current(),
    checkDeployment: guarded(async () => {
      const { keys, serverTimeMs } = await keeper.check();
      const { epoch, notAfterMs, signerNotAfterMs } = keys;
      return { epoch, keysetNotAfterMs: notAfterMs, signerNotAfterMs, serverTimeMs };
    }),
  };
}

/** The reading half of a client, over a connection. */
export function readerOver({ transport, keeper, checkDeployment, close }: Connection): Reader {
  const reads = createClient(ReadService, transport);

  async function readPage(
    target: ReadTarget,
    allOrNothing: boolean,
    pageToken: string,
  ): Promise<OpenedReply> {
    const [keys, recipient] = await Promise.all([keeper.current(), createRecipient()]);
    const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
    const wanted =
      "secretIds" in target
        ? { secretIds: [...target.secretIds], version: target.version ?? 0 }
        : target;
    const request = create(ReadSecretsRequestSchema, {
      ...wanted,
      allOrNothing,
      pageToken,
      recipient: { suite, publicKey: recipient.publicKey },
    });
    let requestDigest = new Uint8Array();
    const onHeader = (header: Headers): void => {
      requestDigest = new Uint8Array(Buffer.from(header.get(requestDigestHeader) ?? "", "base64"));
    };
    const response = await reads.readSecrets(request, { onHeader });
    const asked = { secretIds: request.secretIds, version: request.version, requestDigest };
    // Signed with a key that is newer than what this client knows: then there is a newer keyset.
    const { keyId = "" } = response.reply ?? {};
    const known = !response.reply || keys.has(KeyUse.REPLY, keyId) ? keys : await keeper.fetch();
    const opened = await openReply(response, asked, known, recipient);
    await keeper.saw(opened.keysetEpoch);
    return opened;
  }

  return {
    read: guarded(
      async (
        target: ReadTarget,
        { allOrNothing = true }: { readonly allOrNothing?: boolean } = {},
      ) => {
        const results: ReadResult[] = [];
        let pageToken = "";
        do {
          const page = await readPage(target, allOrNothing, pageToken);
          results.push(...page.results);
          pageToken = page.nextPageToken;
        } while (pageToken !== "");
        return results;
      },
    ),
    listReadable: guarded(async (projectId = "") => {
      const found: ReadableSecret[] = [];
      let pageToken = "";
      do {
        const page = await reads.listReadableSecrets({ projectId, pageToken });
        found.push(...page.secrets);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return found;
    }),
    checkDeployment,
    close,
  };
}
