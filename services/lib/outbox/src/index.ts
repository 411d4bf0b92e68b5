export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export { type Replayed, createReplayRecorder } from "./replays.ts";
