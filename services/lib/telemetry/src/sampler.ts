import {
  AlwaysOffSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
} from "@opentelemetry/sdk-trace";

/**
 * Samples where a trace begins: so many of all requests are sampled, whatever a client says.
 * Security: the choice hangs on nothing that a client sends, not even the trace id, or clients
 * could have all of their requests sampled.
 */
export function deciding(ratio: number, random: () => number = Math.random): Sampler {
  const root: Sampler = {
    shouldSample: () => ({
      decision:
        random() < ratio ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }),
    toString: () => `Deciding{${ratio}}`,
  };
  return new ParentBasedSampler({ root, remoteParentSampled: root, remoteParentNotSampled: root });
}

/** Behind the gateway: what the caller decided holds; what nobody decided about is not sampled. */
export function following(): Sampler {
  return new ParentBasedSampler({ root: new AlwaysOffSampler() });
}
