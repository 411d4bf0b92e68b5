import type { DescMethod } from "@bufbuild/protobuf";

/** Returns the request path of a method, "/package.Service/Method". */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
