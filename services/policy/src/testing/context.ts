import { create } from "@bufbuild/protobuf";
import {
  type CredentialClaims,
  CredentialClaimsSchema,
  PrincipalKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { ReadContext } from "../decision/evaluate.ts";

type MachineClaims = Pick<CredentialClaims, "principalId" | "vaultId" | "kind">;

/** The claims of machine mch_a in vault vlt_a, with changes. */
export function readClaims(changes: Partial<MachineClaims> = {}): CredentialClaims {
  const { MACHINE: kind } = PrincipalKind;
  const own = { principalId: "mch_a", vaultId: "vlt_a", kind };
  return create(CredentialClaimsSchema, { ...own, ...changes });
}

/** The context of an unsealed read of the current version by mch_a, with changes. */
export function readContext({
  nowMs = 0,
  ...changes
}: Partial<ReadContext["request"]> & { readonly nowMs?: number } = {}): ReadContext {
  return {
    request: {
      vaultId: "vlt_a",
      machineId: "mch_a",
      sourceIp: "192.0.2.1",
      claims: readClaims(),
      purpose: Purpose.READ,
      projectId: "",
      requestedVersion: 0,
      sealed: false,
      ...changes,
    },
    nowMs,
  };
}
