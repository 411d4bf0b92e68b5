export { actorOf } from "./actor.ts";
export { type Append, type Appended, type RefusedEvent, appendEvents } from "./append.ts";
export { type Buckets, type Rate, createBuckets } from "./buckets.ts";
export { type Sink, auditSink } from "./sink.ts";
export { networkOf, sourceUnitOf } from "./source-unit.ts";
export { type Start, reportStart } from "./started.ts";
export { type Refusal, type Tally, type TallyOptions, createTally } from "./tally.ts";
