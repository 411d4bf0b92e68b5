import type { ServiceImpl } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import type { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import {
  EnvelopeError,
  type KekProvider,
  newKey,
  WrongKekError,
  zeroing,
} from "@sallyport/proto/keyring";
import type { Verifier } from "../evidence.ts";
import type { HeldProjectKey, ProjectKeyCache } from "../project-key-cache.ts";
import { type KeyOwner, wrapProjectKey } from "../project-key.ts";
import { refusalOf } from "../refusal.ts";
import { type SealingKeys, sealVersion } from "../seal/seal-value.ts";
import { reseal } from "../seal/reseal.ts";
import { verifyRollback, verifyWrite } from "../seal/verify.ts";

/** The dependencies of SealService. */
export type SealOptions = {
  readonly verifier: Verifier;
  readonly kek: KekProvider;
  readonly projectKeys: ProjectKeyCache;
  readonly sealingKeys: () => SealingKeys;
};

/** Implements SealService. Failures only; nothing of a value is in them. */
export function createSealService({
  verifier,
  kek,
  projectKeys,
  sealingKeys,
}: SealOptions): ServiceImpl<typeof SealService> {
  return {
    async newProjectKey({ vaultId, projectId, generation }) {
      const wrap = (key: Uint8Array) =>
        wrapProjectKey(kek, { vaultId, projectId }, { generation, key });
      return { projectKey: await zeroing(newKey(), wrap) };
    },
    async seal(request) {
      try {
        const write = verifyWrite(request, verifier);
        using projectKey = await projectKeyOf(write, request.projectKey, projectKeys);
        const sealed = await sealVersion(write, sealingKeys(), projectKey);
        return { requestDigest: write.requestDigest, ...sealed };
      } catch (error) {
        throw refusalOf(error);
      }
    },
    async reseal(request) {
      try {
        const rollback = verifyRollback(request, verifier);
        using former = await projectKeyOf(rollback.from, request.formerProjectKey, projectKeys);
        using current = await projectKeyOf(rollback.to, request.projectKey, projectKeys);
        const envelope = await orBinding(() =>
          reseal(rollback, request.envelope, { former, current }),
        );
        return { requestDigest: rollback.requestDigest, envelope };
      } catch (error) {
        throw refusalOf(error);
      }
    },
  };
}

async function projectKeyOf(
  owner: KeyOwner,
  wrapped: Uint8Array,
  projectKeys: ProjectKeyCache,
): Promise<HeldProjectKey> {
  return orBinding(
    () => projectKeys.get(owner, wrapped),
    "the project key is not the one of this vault and project",
  );
}

async function orBinding<T>(
  open: () => Promise<T>,
  otherwise = "the envelope is not the one of this version",
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof EnvelopeError || error instanceof WrongKekError)
      throw new EvidenceError("binding", otherwise, error);
    throw error;
  }
}
