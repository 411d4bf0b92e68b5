/**
 * The audit events: their reporters, fields and meanings. It exists so that the processes that
 * report, the log that accepts and the documents that list events use one table. It promises that
 * an event that is not in the table does not compile. It must never hold a field for a value.
 */
export {
  type Action,
  type ActionOf,
  type Emitter,
  type EventRule,
  events,
  meaningOf,
  meanings,
  ruleOf,
} from "./events.ts";
export { type EventFields, newEvent } from "./new-event.ts";
