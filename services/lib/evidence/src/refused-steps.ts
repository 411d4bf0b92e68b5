import { counter } from "@sallyport/telemetry";
import type { EvidenceError } from "@sallyport/proto/verifying";

const refusals = counter("sallyport.verify.refusals");

/** Counts evidence that did not hold, by the step that found it. */
export function countRefusedStep({ step }: EvidenceError): void {
  refusals({ step });
}
