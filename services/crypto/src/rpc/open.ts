import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type OpenItem,
  type OpenResult,
  OpenResultSchema,
  type OpenService,
  type OpenedRequest,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Failure, requestIdOf, toRefusal, nameOf } from "@sallyport/rpc";
import { type Logger, counter, inSpan } from "@sallyport/telemetry";
import { type KeyringEntry } from "@sallyport/proto/keyring";
import { createReplySealer } from "../hpke.ts";
import { type Append, recordReads } from "../open/record.ts";
import { answerRead } from "../open/reply.ts";
import { unlock } from "../open/unlock.ts";
import { type ReadVerifier, verifyRead } from "../open/verify.ts";
import type { ProjectKeyCache } from "../project-key-cache.ts";
import { refusalOf } from "../refusal.ts";

/** The dependencies of OpenService. */
export type OpenOptions = {
  readonly verifier: ReadVerifier;
  readonly projectKeys: ProjectKeyCache;
  /** The Ed25519 seed that signs replies now. */
  readonly replyKey: () => KeyringEntry;
  /** The epoch of the keyset that replies announce. */
  readonly keysetEpoch: () => number;
  readonly audit: Append;
  readonly logger: Logger;
};

const reads = counter("sallyport.secret.reads");
for (const sealed of ["true", "false"]) reads({ sealed }, 0);

/** Implements OpenService: each item on its own, its refusal in its result. */
export function createOpenService(options: OpenOptions): ServiceImpl<typeof OpenService> {
  return {
    open: async ({ items }, context) => ({
      results: await Promise.all(
        items.map((item) => openItem(item, options, requestIdOf(context))),
      ),
    }),
  };
}

async function openItem(
  item: OpenItem,
  options: OpenOptions,
  requestId: string,
): Promise<OpenResult> {
  const { requestDigest } = item;
  try {
    const opened = await open(item, options);
    return create(OpenResultSchema, { requestDigest, outcome: { case: "opened", value: opened } });
  } catch (error) {
    const failure = refusalOf(error);
    logRefusal(failure, requestId, options.logger);
    const refusal = toRefusal(failure);
    if (failure.reason === Reason.INTERNAL) refusal.metadata = { request_id: requestId };
    return create(OpenResultSchema, {
      requestDigest,
      outcome: { case: "refusal", value: refusal },
    });
  }
}

/**
 * The order is the product: proven, then recorded, and only then opened (SECURITY.md, "What is
 * claimed").
 */
async function open(item: OpenItem, options: OpenOptions): Promise<OpenedRequest> {
  const { verifier, projectKeys, audit, replyKey } = options;
  using held = new DisposableStack();
  const read = await inSpan(spans.verify, async () => verifyRead(item, verifier));
  const unlocked = await unlock(read, projectKeys, held);
  // Before the read is recorded: what cannot be sealed is not read.
  const sealer = read.recipient && (await createReplySealer(read.recipient, read.requestDigest));
  const receipts = await inSpan(spans.record, () =>
    recordReads(read, item, audit, verifier.clock()),
  );
  // Awaited, or the keys would be zeroed too early.
  const opened = await inSpan(spans.open, () =>
    answerRead(read, unlocked, sealer, {
      key: replyKey(),
      keysetEpoch: options.keysetEpoch(),
      receipts,
    }),
  );
  reads({ sealed: String(sealer !== undefined) }, unlocked.length);
  return opened;
}

const spans = {
  verify: { name: "verify", kind: "internal" },
  record: { name: "record", kind: "internal" },
  open: { name: "open", kind: "internal" },
} as const;

function logRefusal(failure: Failure, requestId: string, logger: Logger): void {
  const fields = { request_id: requestId, reason: nameOf(failure.reason), err: failure };
  if (failure.reason === Reason.INTERNAL) logger.error(fields, "failed to open");
  else logger.warn(fields, "refused to open");
}
