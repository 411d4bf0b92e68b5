import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { KeyUse, SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadableSecret,
  ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { base64 } from "@scure/base";
import { guarded } from "./errors.ts";
import { type OpenedReply, type ReadResult, openReply } from "./reply.ts";
import { createRecipient } from "./seal.ts";
import type { Connection } from "./transport.ts";
import { requestDigestHeader } from "./verifier.ts";

/**
 * The target of a read: named secrets (one of them optionally in an older version), a project, or
 * everything that is granted.
 */
export type ReadTarget =
  | { readonly secretIds: readonly string[]; readonly version?: number }
  | { readonly projectId: string }
  | { readonly allGranted: true };

/** Options of a read. */
export type ReadOptions = {
  /** Refuses everything where one secret is refused; true unless given. */
  readonly allOrNothing?: boolean;
  /**
   * Requests values sealed to a key of this call, which no intermediate process can read; true
   * unless given. Unsealed values are signed all the same. For a runtime whose WebCrypto lacks
   * X25519.
   */
  readonly sealed?: boolean;
};

/**
 * The facts of a deployment in its keyset, after the keyset was verified against the pinned root.
 */
export type DeploymentFacts = {
  readonly epoch: number;
  readonly keysetNotAfterMs: number;
  /** The expiry of the signer of keysets, which the root has to renew. */
  readonly signerNotAfterMs: number;
  /** The gateway's clock when it answered; undefined when it is not known. */
  readonly serverTimeMs: number | undefined;
};

/**
 * The methods of a machine: reading, and listing the readable secrets. Every method throws a
 * SallyportError.
 */
export type Reader = {
  /** Reads secrets in one signed request per page and verifies the replies. */
  read(target: ReadTarget, options?: ReadOptions): Promise<ReadResult[]>;
  /** Lists the secrets that this machine may read. */
  listReadable(projectId?: string): Promise<ReadableSecret[]>;
  /** Fetches and verifies the keyset, so that the next read need not. */
  checkDeployment(): Promise<DeploymentFacts>;
  readonly close: () => void;
};

/** Makes the reading part of a client, over a signed transport. */
export function readerOver({ transport, keeper, close }: Connection): Reader {
  const reads = createClient(ReadService, transport);

  async function readPage(
    target: ReadTarget,
    { allOrNothing = true, sealed = true }: ReadOptions,
    pageToken: string,
  ): Promise<OpenedReply> {
    const [keys, recipient] = await Promise.all([
      keeper.current(),
      sealed ? createRecipient() : undefined,
    ]);
    const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
    const wanted =
      "secretIds" in target
        ? { secretIds: [...target.secretIds], version: target.version ?? 0 }
        : target;
    const request = create(ReadSecretsRequestSchema, {
      ...wanted,
      allOrNothing,
      pageToken,
      ...(recipient && { recipient: { suite, publicKey: recipient.publicKey } }),
    });
    let requestDigest = new Uint8Array();
    const onHeader = (header: Headers): void => {
      requestDigest = new Uint8Array(base64.decode(header.get(requestDigestHeader) ?? ""));
    };
    const response = await reads.readSecrets(request, { onHeader });
    const asked = { secretIds: request.secretIds, version: request.version, requestDigest };
    // A key that this client does not know means that there is a newer keyset.
    const { keyId = "" } = response.reply ?? {};
    const known = !response.reply || keys.has(KeyUse.REPLY, keyId) ? keys : await keeper.fetch();
    const opened = await openReply(response, asked, known, recipient);
    await keeper.saw(opened.keysetEpoch);
    return opened;
  }

  return {
    read: guarded(async (target: ReadTarget, options: ReadOptions = {}) => {
      const results: ReadResult[] = [];
      let pageToken = "";
      do {
        const page = await readPage(target, options, pageToken);
        results.push(...page.results);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return results;
    }),
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
    checkDeployment: guarded(async () => {
      const { keys, serverTimeMs } = await keeper.check();
      const { epoch, notAfterMs, signerNotAfterMs } = keys;
      return { epoch, keysetNotAfterMs: notAfterMs, signerNotAfterMs, serverTimeMs };
    }),
    close,
  };
}
