import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RefusedSecret,
  RefusedSecretSchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";

/** Refused secrets as a record's row holds them: id and reason of each, in their order. */
export type StoredRefused = readonly (readonly [secretId: string, reason: string])[];

/** Turns a record's refused secrets into what its row holds. */
export function storedOf(refused: readonly RefusedSecret[]): StoredRefused {
  return refused.map(({ secretId, reason }) => [secretId, reason] as const);
}

/** Turns what a row holds, null without any, into a record's refused secrets. */
export function refusedOf(
  stored: StoredRefused | null,
): MessageInitShape<typeof RefusedSecretSchema>[] {
  return (stored ?? []).map(([secretId, reason]) => ({ secretId, reason }));
}
