import type { MessageInitShape } from "@bufbuild/protobuf";
import { Reason, type RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { AuthorizeItem } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { newId } from "@sallyport/proto/ids";
import type { TestPeers } from "./peers.ts";

/** Policy's decision about one secret. */
export type TestDecision = {
  readonly secretId: string;
  readonly projectId: string;
  readonly refusal?: MessageInitShape<typeof RefusalSchema>;
};

/** A refusal of one secret, as policy makes it. */
export const notGranted = { reason: Reason.NOT_GRANTED, nextStep: "ask for a grant" };

/** The decision id of every answer that `decide` makes. */
export const decisionId = "dec_00000000000000000000";

/** Has policy decide so, with a permit, and returns what it is asked from then on. */
export function decide(
  { steps }: TestPeers,
  secrets: readonly TestDecision[],
  nextPageToken = "",
): AuthorizeItem[] {
  const asked: AuthorizeItem[] = [];
  steps.authorize = ({ items }) => {
    asked.push(...items);
    const permit = { payload: Buffer.from("permit"), keyId: "permit-1", mac: new Uint8Array(32) };
    return {
      results: items.map(({ requestDigest }) => ({
        requestDigest,
        decisionId,
        secrets: [...secrets],
        permit,
        nextPageToken,
      })),
    };
  };
  return asked;
}

/** Decisions that allow. */
export function allow(secretIds: readonly string[]): TestDecision[] {
  return secretIds.map((secretId) => ({
    secretId,
    projectId: newId("prj"),
  }));
}

/** Decisions that refuse. */
export function deny(secretIds: readonly string[]): TestDecision[] {
  return secretIds.map((secretId) => ({ secretId, projectId: "", refusal: notGranted }));
}

/** New ids of secrets. */
export function secretIdsOf(count: number): string[] {
  return Array.from({ length: count }, () => newId("sec"));
}
