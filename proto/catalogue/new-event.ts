import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "../gen/sallyport/audit/internal/v1/append_pb.ts";
import { newId } from "../ids/id.ts";
import { type Action, type ActionOf, type Emitter, type EventRule, events } from "./events.ts";

type Filled = "$typeName" | "$unknown" | "action" | "outcome" | "detail";

/**
 * The fields of an event of action A; eventId and time are filled in when absent, outcome when only
 * one is possible.
 */
export type EventFields<A extends Action> = Omit<MessageInitShape<typeof EventSchema>, Filled> & {
  readonly outcome?: (typeof events)[A]["outcomes"][number];
  readonly detail?: { readonly [K in (typeof events)[A]["detail"][number]]?: string };
};

/**
 * Makes an event. An action that the emitter may not report, or a detail key that the action does
 * not have, does not compile. Details are sanitised: without control characters, at most 256 bytes,
 * so that the log refuses no text of a user.
 */
export function newEvent<E extends Emitter, A extends ActionOf<E>>(
  _emitter: E,
  action: A,
  fields: EventFields<A>,
): Event {
  const { detail, ...rest } = fields;
  const rule: EventRule = events[action];
  return create(EventSchema, {
    eventId: newId("evt"),
    time: timestampNow(),
    outcome: rule.outcomes[0],
    ...rest,
    action,
    detail: recordable(detail ?? {}),
  });
}

const maxDetailBytes = 256;
const control = /\p{Cc}|\p{Cs}/gu;

function recordable(detail: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(detail).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, shortened(value)]],
    ),
  );
}

function shortened(value: string): string {
  const bytes = new Uint8Array(maxDetailBytes);
  const printable = value.replaceAll(control, "\uFFFD");
  return printable.slice(0, new TextEncoder().encodeInto(printable, bytes).read);
}
