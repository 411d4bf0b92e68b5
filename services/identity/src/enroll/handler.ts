import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type {
  EnrollRequest,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { Failure, fail, remainingMs } from "@sallyport/rpc";
import { type Verdict, judgeProof, rejected } from "./judge.ts";
import { type Token, findToken } from "../tokens/store.ts";
import { noteStranger } from "../admission/unproven-attempts.ts";
import { checkPrintable } from "../printable.ts";
import { type Turns, createTurns } from "./keyed-semaphore.ts";
import { type Outcome, admit, refusal } from "./admit.ts";
import { checkEnrollment, judgeEarly } from "./dry-run.ts";
import { type EnrollParts, type Enrollment, recordRefusal } from "./refusal.ts";
import { provision } from "./provision.ts";

// Kept back of the call's time, so that who waited in vain is told so; milliseconds.
const reserveMs = 500;
/**
 * How many enrollments of one vault are worked on at the same time: fewer than the database has
 * connections.
 */
const atOnce = 6;

/**
 * Makes Enroll. The use is counted with the machine, in one transaction; only then policy takes
 * over the scope.
 */
export function createEnroll(
  parts: EnrollParts,
): ForwardHandlers<typeof EnrollmentService>["enroll"] {
  const places = createTurns(atOnce);
  const turns = createTurns(1);
  return async (context, request) => {
    checkPrintable("hostname", request.hostname);
    if (request.validateOnly)
      return inTurn(places, request.vaultId, async () =>
        checkEnrollment(parts, await begin(parts, context, request)),
      );
    const outcome = await inTurn(places, request.vaultId, () =>
      decide(parts, turns, context, request),
    );
    if (outcome.kind === "refused") throw fail(outcome.verdict.reason, outcome.verdict.metadata);
    // Only now policy gets the scope; a machine is active, and gets credentials, only after that.
    const machine = await provision(parts, context, outcome.machine, outcome.token);
    const { machineId, name: machineName, vaultId, expiresAt } = machine;
    return { machineId, machineName, vaultId, expiresAt: timestampFromDate(expiresAt) };
  };
}

async function inTurn<T>(turns: Turns, name: string, run: () => Promise<T>): Promise<T> {
  const leftMs = remainingMs();
  const passOn = await turns.take(name, leftMs && Math.max(0, leftMs - reserveMs));
  try {
    return await run();
  } finally {
    passOn();
  }
}

// Whatever a stranger gets wrong is one refusal, counted with others like it, and costs no
// transaction.
async function begin(
  parts: EnrollParts,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Enrollment> {
  const { vaultId, tokenId, hostname, machineName } = request;
  const { sourceIp } = context;
  const nowMs = parts.clock();
  const known = await findToken(parts.database, vaultId, tokenId);
  const unproven = judgeProof(admissionOf(context, request), known);
  if (unproven || !known) {
    const concerned = known && { vaultId, subjectId: tokenId };
    const shown = {
      action: "token.refused",
      concerned,
      told: { hostname, name: machineName },
    } as const;
    const verdict = unproven ?? rejected("token");
    await noteStranger(parts.outbox, context, shown, verdict, nowMs);
    throw fail(verdict.reason);
  }
  const attempt = { nowMs, sourceIp, hostname, machineName, machineId: newId("mch") };
  return { context, request, token: known, attempt };
}

async function decide(
  parts: EnrollParts,
  turns: Turns,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Outcome> {
  const enrollment = await begin(parts, context, request);
  const { token, attempt } = enrollment;
  // 1. What nothing can make good again is refused without a lock, and a machine from before needs
  //    none.
  const { before, verdict } = await judgeEarly(parts, request, token, attempt);
  if (verdict) return refuse(parts, enrollment, verdict);
  if (before) return context.mutate(async () => ({ kind: "admitted", machine: before, token }));
  await checkPace(parts, enrollment);
  // 2. Count the use and make the machine, or record why not. The turn is passed on before the
  //    commit: the next one then
  // waits for the lock a moment, and not for audit.
  return context.mutate((tx) =>
    inTurn(turns, request.vaultId, async () => {
      const outcome = await admit(tx, parts, enrollment, { ...attempt, nowMs: parts.clock() });
      if (outcome.kind === "refused") await recordRefusal(tx, parts, enrollment, outcome.verdict);
      else parts.enrollments.charge(token.tokenId, recordsOf(token));
      return outcome;
    }),
  );
}

// A machine more is records more: its enrollment, each project and each grant, and its end.
function recordsOf({ projectIds, secretIds }: Token): number {
  return 2 + projectIds.length + secretIds.length;
}

// Who holds a token of many uses and many secrets could fill the log by making machines alone.
async function checkPace(parts: EnrollParts, enrollment: Enrollment): Promise<void> {
  const { context, token } = enrollment;
  const retryAfterMs = parts.enrollments.waitMs(token.tokenId, recordsOf(token));
  if (retryAfterMs === 0) return;
  const verdict = { reason: Reason.RATE_LIMITED, step: "rate" } as const;
  await context.mutate((tx) => recordRefusal(tx, parts, enrollment, verdict));
  throw new Failure(verdict.reason, { retryAfterMs });
}

async function refuse(
  parts: EnrollParts,
  enrollment: Enrollment,
  verdict: Verdict,
): Promise<Outcome> {
  await enrollment.context.mutate((tx) => recordRefusal(tx, parts, enrollment, verdict));
  return refusal(verdict);
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
