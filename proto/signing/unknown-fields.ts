import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import {
  type ReflectMessage,
  isReflectList,
  isReflectMap,
  isReflectMessage,
  reflect,
} from "@bufbuild/protobuf/reflect";

/**
 * Returns whether a decoded message, or one inside it, has fields that its contract does not
 * define.
 */
export function hasUnknownFields(schema: DescMessage, message: Message): boolean {
  return isUnknownInside(reflect(schema, message));
}

function isUnknownInside(message: ReflectMessage): boolean {
  if ((message.message.$unknown?.length ?? 0) > 0) return true;
  return message.fields.some((field) => messagesOf(message, field).some(isUnknownInside));
}

function messagesOf(message: ReflectMessage, field: DescField): ReflectMessage[] {
  if (!message.isSet(field)) return [];
  const value: unknown = message.get(field);
  if (isReflectMessage(value)) return [value];
  if (isReflectList(value) || isReflectMap(value))
    return [...value.values()].filter((item) => isReflectMessage(item));
  return [];
}
