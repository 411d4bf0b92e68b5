/**
 * The events that a process records on its own account: its start, and the requests it refused.
 *
 * It exists so that a flood of refusals neither fills the log nor goes uncounted: the number of
 * records is bounded, and every refusal is counted in exactly one of them. It must never fail or
 * delay the request that it reports, and never put into a record what a stranger can make up at
 * will.
 */
export { actorOf } from "./actor.ts";
export { type Append, type Appended, type RefusedEvent, appendEvents } from "./append.ts";
export { type Sink, auditSink } from "./event-sink.ts";
export { type Start, reportStart } from "./process-started.ts";
export { type Refusal, type Tally, type TallyOptions, createTally } from "./refusal-counter.ts";
