import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/evidence";
import type {
  EnrollRequest,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail, remainingMs } from "@sallyport/rpc";
import { type Verdict, judgeProof, rejected } from "../enrollment.ts";
import { findToken } from "../store/tokens.ts";
import { checkPrintable } from "../text.ts";
import { type Turns, createTurns } from "../turns.ts";
import { type Outcome, admit, refusal } from "./admit.ts";
import { checkEnrollment, judgeEarly } from "./check-enrollment.ts";
import { type EnrollParts, type Enrollment, recordRefusal } from "./enrollment-refusal.ts";
import { provision } from "./provision.ts";

// Kept back of the call's time, so that who waited in vain is told so; milliseconds.
const reserveMs = 500;
/** How many enrollments of one vault are worked on at the same time: fewer than the database has connections. */
const atOnce = 6;

/** Makes Enroll. The use is counted with the machine, in one transaction; only then policy takes over the scope. */
export function createEnroll(parts: EnrollParts): ForwardHandlers<typeof EnrollmentService>["enroll"] {
  const places = createTurns(atOnce);
  const turns = createTurns(1);
  return async (context, request) => {
    checkPrintable("hostname", request.hostname);
    if (request.validateOnly) return inTurn(places, request.vaultId, () => check(parts, context, request));
    const outcome = await inTurn(places, request.vaultId, () => decide(parts, turns, context, request));
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

async function begin(
  parts: EnrollParts,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Enrollment> {
  const known = await findToken(parts.database, request.vaultId, request.tokenId);
  const { hostname, machineName } = request;
  const { sourceIp } = context;
  const attempt = { nowMs: parts.clock(), sourceIp, hostname, machineName, machineId: newId("mch") };
  return { context, request, known, attempt };
}

async function check(parts: EnrollParts, context: ForwardContext, request: EnrollRequest) {
  const enrollment = await begin(parts, context, request);
  return checkEnrollment(parts, enrollment, judgeProof(admissionOf(context, request), enrollment.known));
}

async function decide(
  parts: EnrollParts,
  turns: Turns,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Outcome> {
  // 1. Whatever a stranger gets wrong is one refusal.
  const enrollment = await begin(parts, context, request);
  const { known, attempt } = enrollment;
  const unproven = judgeProof(admissionOf(context, request), known);
  if (unproven || !known) return refuse(parts, enrollment, unproven ?? rejected("token"));
  // 2. What nothing can make good again is refused without a lock, and a machine from before needs none.
  const { before, verdict } = await judgeEarly(parts, request, known, attempt);
  if (verdict) return refuse(parts, enrollment, verdict);
  if (before) return context.mutate(async () => ({ kind: "admitted", machine: before, token: known }));
  // 3. Count the use and make the machine, or record why not. The turn is passed on before the commit: the next one then
  // waits for the lock a moment, and not for audit.
  return context.mutate((tx) =>
    inTurn(turns, request.vaultId, async () => {
      const outcome = await admit(tx, parts, enrollment, known, { ...attempt, nowMs: parts.clock() });
      if (outcome.kind === "refused") await recordRefusal(tx, parts, enrollment, outcome.verdict);
      return outcome;
    }),
  );
}

async function refuse(parts: EnrollParts, enrollment: Enrollment, verdict: Verdict): Promise<Outcome> {
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
