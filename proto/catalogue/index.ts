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
