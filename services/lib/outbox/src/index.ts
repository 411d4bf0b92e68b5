/**
 * Writes audit events in the transaction of the change that they report and delivers them to audit.
 * It exists so that no change is without its record: what was committed is delivered, again after a
 * crash. It promises that delivery is idempotent by event id, and that an event that audit refuses
 * holds up no other. It must never report a change that was rolled back.
 */
export { createOutbox, type Outbox, type OutboxOptions } from "./outbox.ts";
export { type Replayed, createReplayRecorder } from "./replays.ts";
