import { EvidenceError, HeadError } from "@sallyport/proto/verifying";

/** The result of a step; "open" is one after the step that failed. */
export type StepResult = {
  /** As SIGNING §4.1 names it, before it `head`. */
  readonly step: string;
  readonly status: "ok" | "bad" | "open";
  /** The condition, and the known cause when it fails. */
  readonly detail: string;
};

type Step = readonly [step: string, holds: string];

/** The steps in their order, by the checks that find them. */
const phases = {
  head: [["head", "POST, a plain path, every covered header exactly once (SIGNING §2)"]],
  form: [
    ["content-type", "it is one of SIGNING §5.2"],
    ["content-digest", "the header has the form of SIGNING §5.1"],
    ["signature", "both headers have the form of SIGNING §3, and there is a base"],
  ],
  signature: [
    ["binding", "the keyid is that of the key"],
    ["signature", "it holds over the base"],
    ["method", "it is POST"],
    ["authority", "it is normal, and a public name where one was given"],
    ["path", "it is a method's"],
    ["created", "it is within 60 s of the time where one was given"],
  ],
  digest: [["content-digest", "it is that of the content"]],
  body: [["body", "it decodes strictly as what the path asks for (SIGNING §5.4)"]],
  field: [["field", "it keeps the bounds of the contract"]],
} as const satisfies Readonly<Record<string, readonly Step[]>>;

type Phase = keyof typeof phases;

/** Details of a step that failed. */
export type Hints = Readonly<Partial<Record<string, () => string | undefined>>>;

/**
 * Takes checks one after the other, until one does not hold, and keeps what became of each step.
 */
export type Stepper = {
  /** Runs a check, of one step or more; undefined when it, or one before it, does not hold. */
  readonly take: <T>(phase: Phase, check: () => T, hints?: Hints) => T | undefined;
  /** The result of every step, also of those that were not reached. */
  results(): readonly StepResult[];
};

/** Makes one. */
export function createStepper(): Stepper {
  const known = new Map<Phase, readonly StepResult[]>();
  let failed = false;
  return {
    take(phase, check, hints = {}) {
      if (failed) return undefined;
      try {
        const value = check();
        known.set(phase, resultsOf(phase));
        return value;
      } catch (error) {
        failed = true;
        known.set(phase, resultsOf(phase, error, hints));
        return undefined;
      }
    },
    results() {
      const all = Object.keys(phases) as Phase[];
      return all.flatMap((phase) => known.get(phase) ?? phases[phase].map(open));
    },
  };
}

// The steps before the one that does not hold do; of a check that holds, all of them.
function resultsOf(phase: Phase, error?: unknown, hints: Hints = {}): readonly StepResult[] {
  const steps: readonly Step[] = phases[phase];
  if (error === undefined) return steps.map(ok);
  const named =
    error instanceof EvidenceError ? steps.findIndex(([step]) => step === error.step) : 0;
  const at = Math.max(0, named);
  return steps.map((step, index) => {
    if (index < at) return ok(step);
    return index > at ? open(step) : bad(step, error, hints);
  });
}

const ok = ([step, detail]: Step): StepResult => ({ step, status: "ok", detail });
const open = ([step, detail]: Step): StepResult => ({ step, status: "open", detail });

function bad([step]: Step, error: unknown, hints: Hints): StepResult {
  const hint = hints[step]?.();
  return {
    step,
    status: "bad",
    detail: hint === undefined ? why(error) : `${why(error)}; ${hint}`,
  };
}

function why(error: unknown): string {
  if (error instanceof HeadError) return `${error.field}: ${error.message}`;
  if (error instanceof EvidenceError) return error.message.slice(error.step.length + 2);
  return error instanceof Error ? error.message : "malformed";
}
