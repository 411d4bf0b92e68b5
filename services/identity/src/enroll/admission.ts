import type { ForwardContext } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { EnrollRequest } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Verdict } from "../admission/proof.ts";
import type { Machine, NewMachine } from "../machines/store.ts";
import { tokenAdmitter } from "./token-admitter.ts";

/** The rights that policy gives a machine, in the name of the user who made its admission. */
export type Scope = {
  readonly projectIds: string[];
  readonly secretIds: string[];
  readonly anyVersion: boolean;
  readonly createdBy: string;
};

/** The conditions that a machine has to meet. Empty is none. */
export type Restrictions = {
  readonly sourceCidrs: readonly string[];
  readonly hostnamePattern: string;
  readonly machineNamePattern: string;
};

/** An entitlement to join a vault: what it gives a machine, and its bounds. */
export type Admission = {
  readonly vaultId: string;
  /** The enrollment token, if it is one. */
  readonly tokenId: string | null;
  /** The id that all machines of this admission are counted by in the log. */
  readonly originId: string;
  readonly scope: Scope;
  readonly machineLifetimeMs: number;
  readonly restrictions: Restrictions;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly uses: number;
  readonly maxUses: number;
};

/** The result of a proof. An unproven one names its subject only when that exists. */
export type Proof =
  | { readonly kind: "proven"; readonly admission: Admission }
  | {
      readonly kind: "unproven";
      readonly verdict: Verdict;
      readonly subjectId: string | undefined;
    };

/** A machine that was made, and how many uses of its admission are spent now. */
export type Admitted = { readonly machine: Machine; readonly uses: number };

/** The bounds that the vault's other machines set. */
export type Room = {
  /** The most living machines that the vault may have. */
  readonly cap: number;
  /** The name must be no living machine's. */
  readonly uniqueName: boolean;
};

/** One means of admission, for one request. Another means is another Admitter. */
export type Admitter = {
  /** Proves the request's admission, without a lock. Never throws for what the caller got wrong. */
  prove(db: Tx, context: ForwardContext): Promise<Proof>;
  /** Reads the admission again; undefined when it is gone. */
  refresh(tx: Tx): Promise<Admission | undefined>;
  /**
   * Makes a provisioning machine and counts the use, both or neither, under the lock of the vault's
   * machines. Undefined when the admission does not go so far any more, there is no room, or the
   * key is a machine already.
   */
  make(tx: Tx, machine: NewMachine, room: Room): Promise<Admitted | undefined>;
};

/** Returns the admitter of a request. Throws Failure FIELD_INVALID for one without an admission. */
export function admitterOf(request: EnrollRequest): Admitter {
  const { admission } = request;
  switch (admission.case) {
    case "token":
      return tokenAdmitter(request, admission.value);
    case undefined:
      throw fail(Reason.FIELD_INVALID, { field: "admission", description: "is required" });
    default:
      throw new Error(`unknown admission ${String(admission satisfies never)}`);
  }
}
