import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type {
  EnrollRequest,
  EnrollmentService,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { Failure, fail, remainingMs } from "@sallyport/rpc";
import type { Verdict } from "../admission/proof.ts";
import { noteUnproven } from "../admission/unproven-attempts.ts";
import { checkPrintable } from "../printable.ts";
import { type KeyedSemaphore, createKeyedSemaphore } from "./keyed-semaphore.ts";
import { type Admission, admitterOf } from "./admission.ts";
import { type Outcome, admit, refusal } from "./admit.ts";
import { checkEnrollment, judgeEarly } from "./dry-run.ts";
import { type EnrollParts, type Enrollment, recordRefusal } from "./refusal.ts";
import { provision } from "./provision.ts";

// Reserved of the call's time, so that a caller that waited in vain gets an answer; milliseconds.
const reserveMs = 500;
/**
 * Concurrency limit of the enrollments of one vault: lower than the database's number of
 * connections.
 */
const atOnce = 6;

/**
 * Makes Enroll. The use is counted with the machine, in one transaction; only then policy takes
 * over the scope.
 */
export function createEnrollHandler(
  parts: EnrollParts,
): ForwardHandlers<typeof EnrollmentService>["enroll"] {
  const concurrency = createKeyedSemaphore(atOnce);
  const admitting = createKeyedSemaphore(1);
  return async (context, request) => {
    checkPrintable("hostname", request.hostname);
    if (request.validateOnly)
      return withPermit(concurrency, request.vaultId, async () =>
        checkEnrollment(parts, await begin(parts, context, request)),
      );
    const outcome = await withPermit(concurrency, request.vaultId, () =>
      decide(parts, admitting, context, request),
    );
    if (outcome.kind === "refused") throw fail(outcome.verdict.reason, outcome.verdict.metadata);
    // Only now policy gets the scope; a machine is active, and gets credentials, only after that.
    const machine = await provision(parts, context, outcome.machine, outcome.admission);
    const { machineId, name: machineName, vaultId, expiresAt } = machine;
    return { machineId, machineName, vaultId, expiresAt: timestampFromDate(expiresAt) };
  };
}

async function withPermit<T>(
  semaphore: KeyedSemaphore,
  key: string,
  run: () => Promise<T>,
): Promise<T> {
  const leftMs = remainingMs();
  const release = await semaphore.acquire(key, leftMs && Math.max(0, leftMs - reserveMs));
  try {
    return await run();
  } finally {
    release();
  }
}

// Security: everything that an unproven caller gets wrong is one refusal, counted with others like
// it, and costs no transaction.
async function begin(
  parts: EnrollParts,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Enrollment> {
  const { vaultId, hostname, machineName } = request;
  const nowMs = parts.clock();
  const admitter = admitterOf(request);
  const proof = await admitter.prove(parts.database, context);
  if (proof.kind === "unproven") {
    const { verdict, subjectId } = proof;
    const concerned = subjectId === undefined ? undefined : { vaultId, subjectId };
    const shown = {
      action: "token.refused",
      concerned,
      claimed: { hostname, name: machineName },
    } as const;
    await noteUnproven(parts.outbox, context, shown, verdict, nowMs);
    throw fail(verdict.reason);
  }
  const { sourceIp } = context;
  const attempt = { nowMs, sourceIp, hostname, machineName, machineId: newId("mch") };
  return { context, request, admitter, admission: proof.admission, attempt };
}

async function decide(
  parts: EnrollParts,
  admitting: KeyedSemaphore,
  context: ForwardContext,
  request: EnrollRequest,
): Promise<Outcome> {
  const enrollment = await begin(parts, context, request);
  const { admission, attempt } = enrollment;
  // 1. Final refusals need no lock, and neither does a machine from before.
  const { before, verdict } = await judgeEarly(parts, enrollment);
  if (verdict) return refuse(parts, enrollment, verdict);
  if (before) return context.mutate(async () => ({ kind: "admitted", machine: before, admission }));
  await checkPace(parts, enrollment);
  // 2. Count the use and make the machine, or record why not. The permit is released before the
  //    commit: the next enrollment then waits a moment for the lock, and not for audit.
  return context.mutate((tx) =>
    withPermit(admitting, request.vaultId, async () => {
      const outcome = await admit(tx, parts, enrollment, { ...attempt, nowMs: parts.clock() });
      if (outcome.kind === "refused") await recordRefusal(tx, parts, enrollment, outcome.verdict);
      else parts.enrollments.charge(admission.originId, recordsOf(admission));
      return outcome;
    }),
  );
}

// Each machine is several records: its enrollment, each project and each grant, and its end.
function recordsOf({ scope }: Admission): number {
  return 2 + scope.projectIds.length + scope.secretIds.length;
}

// Security: an admission of many uses and many secrets could fill the log by making machines alone.
async function checkPace(parts: EnrollParts, enrollment: Enrollment): Promise<void> {
  const { context, admission } = enrollment;
  const retryAfterMs = parts.enrollments.waitMs(admission.originId, recordsOf(admission));
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
