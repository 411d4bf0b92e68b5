import type { CredentialClaims } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** The steps of the checklist, as metrics name them; evidence that does not hold names its own. */
export type Step =
  | "path"
  | "method"
  | "address"
  | "head"
  | "created"
  | "content"
  | "concurrency"
  | "content-digest"
  | "key"
  | "principal"
  | "admission"
  | "role";

/** The facts known about a request when a step refused it, for the record of the refusal. */
export type Known = {
  /** As the request says, which anyone can claim. */
  readonly claimedKeyId?: string;
  /** The same, once identity knows a principal of that name. */
  readonly knownKeyId?: string;
  /** Set once the signature held. */
  readonly digest?: Uint8Array;
  readonly claims?: CredentialClaims;
};

/** A step's refusal of a request; its cause is the error for the client. */
export class StepRefusal extends Error {
  override readonly name = "StepRefusal";
  readonly step: Step;
  readonly known: Known;

  constructor(step: Step, known: Known, cause: unknown) {
    super(`refused at ${step}`, { cause });
    this.step = step;
    this.known = known;
  }
}

/** Runs one step; an error that it throws becomes the cause of a StepRefusal. */
export async function at<T>(step: Step, known: Known, check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw new StepRefusal(step, known, error);
  }
}
