import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  EnrollRequest,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { type Verdict, judgeProof, judgeRetry, judgeToken, nameMachine, rejected } from "../enrollment.ts";
import type { PolicyScope } from "../policy.ts";
import { actorOf, originOf, reasonText } from "../reports.ts";
import { type Machine, findMachineByKey, insertMachine } from "../store/machines.ts";
import { type Token, countUse, findToken, lockToken } from "../store/tokens.ts";
import { type Shown, noteStranger } from "../strangers.ts";
import { checkPrintable } from "../text.ts";
import { provision } from "./provision.ts";

/** What enrolling works with. */
export type EnrollParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain" | "note">;
  readonly policy: Pick<PolicyScope, "applyScope" | "setPrincipalStatus">;
  readonly clock: () => number;
};

type Outcome =
  | { readonly kind: "admitted"; readonly machine: Machine; readonly token: Token }
  | { readonly kind: "refused"; readonly verdict: Verdict };

/** Makes Enroll. The use is counted with the machine, in one transaction; only then policy takes over the scope. */
export function createEnroll(parts: EnrollParts): ForwardHandlers<typeof EnrollmentService>["enroll"] {
  return async (context, request) => {
    checkPrintable("hostname", request.hostname);
    // 1. Whatever a stranger gets wrong is one refusal, decided before any lock is taken.
    const known = await findToken(parts.database, request.vaultId, request.tokenId);
    const unproven = judgeProof(admissionOf(context, request), known);
    if (unproven) {
      await noteStranger(parts.outbox, context, shownOf(request, known), unproven, parts.clock());
      throw fail(unproven.reason);
    }
    // 2. Count the use and make the machine, or record why not.
    const outcome = await context.mutate(async (tx) => {
      const decided = await admit(tx, request, parts.clock());
      if (decided.kind === "refused")
        await recordRefusal(tx, parts, context, request, known, decided.verdict);
      return decided;
    });
    if (outcome.kind === "refused") throw fail(outcome.verdict.reason);
    // 3. Hand the scope to policy; a machine is active, and gets credentials, only after that.
    const machine = await provision(parts, context, outcome.machine, outcome.token);
    const { machineId, name: machineName, vaultId, expiresAt } = machine;
    return { machineId, machineName, vaultId, expiresAt: timestampFromDate(expiresAt) };
  };
}

function shownOf({ hostname, machineName }: EnrollRequest, known: Token | undefined): Shown {
  const concerned = known && { vaultId: known.vaultId, subjectId: known.tokenId };
  return { action: "token.refused", concerned, told: { hostname, name: machineName } };
}

function admissionOf({ newKey }: ForwardContext, request: EnrollRequest) {
  return {
    kind: "machine",
    signerKey: newKey,
    vaultId: request.vaultId,
    admittingKey: request.tokenPublicKey,
    proof: request.tokenProof,
    admittedKey: request.machinePublicKey,
  } as const;
}

// Everything that happens with one token happens one after another: its row is locked first.
async function admit(tx: Tx, request: EnrollRequest, nowMs: number): Promise<Outcome> {
  const token = await lockToken(tx, request.vaultId, request.tokenId);
  if (!token) return refusal(rejected("token"));
  const before = await findMachineByKey(tx, request.machinePublicKey);
  const verdict = before ? judgeRetry(token, before, nowMs) : judgeToken(token, nowMs);
  if (verdict) return refusal(verdict);
  if (before) return { kind: "admitted", machine: before, token };
  const machine = await insertMachine(tx, machineOf(request, token, nowMs));
  if (!machine) return refusal(rejected("key")); // Another token enrolled the key a moment ago.
  if (!(await countUse(tx, token, new Date(nowMs))))
    throw fail(Reason.INTERNAL, {}, new Error("a use was not counted"));
  return { kind: "admitted", machine, token };
}

function machineOf(request: EnrollRequest, token: Token, nowMs: number) {
  const machineId = newId("mch");
  return {
    machineId,
    vaultId: token.vaultId,
    tokenId: token.tokenId,
    publicKey: request.machinePublicKey,
    name: nameMachine(request.machineName, request.hostname, machineId),
    hostname: request.hostname,
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + token.machineLifetimeMs),
  };
}

function refusal(verdict: Verdict): Outcome {
  return { kind: "refused", verdict };
}

// A vault and a token are named only when they exist: a stranger's guess must not show up in someone's log.
async function recordRefusal(
  tx: Tx,
  { outbox, clock }: Pick<EnrollParts, "outbox" | "clock">,
  context: ForwardContext,
  request: EnrollRequest,
  known: Token | undefined,
  { reason, step }: Verdict,
): Promise<void> {
  const concerned = known ? { vaultId: known.vaultId, subjectId: known.tokenId } : {};
  const event = newEvent("identity", "token.refused", {
    ...actorOf(context),
    ...originOf(context, clock()),
    ...concerned,
    reason: reasonText(reason),
    detail: { step, hostname: request.hostname, name: request.machineName },
  });
  await outbox.record(tx, event);
}
