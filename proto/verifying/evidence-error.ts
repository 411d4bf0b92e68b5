/** The check that refused; each has a test in which only that check refuses. */
export type EvidenceStep =
  | "credential"
  | "signature"
  | "method"
  | "authority"
  | "path"
  | "created"
  | "content-type"
  | "content-digest"
  | "body"
  | "permit"
  | "slip"
  | "role"
  | "binding"
  | "replay";

/**
 * Error: evidence is not valid, with the step that failed. The message is for logs and never holds
 * the data that was checked.
 */
export class EvidenceError extends Error {
  override readonly name = "EvidenceError";
  readonly step: EvidenceStep;

  constructor(step: EvidenceStep, message: string, cause?: unknown) {
    super(`${step}: ${message}`, cause === undefined ? undefined : { cause });
    this.step = step;
  }
}

/** Runs a check of form; any error that it throws becomes an EvidenceError of the step. */
export function atStep<T>(step: EvidenceStep, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof EvidenceError) throw error;
    throw new EvidenceError(step, error instanceof Error ? error.message : "malformed");
  }
}
