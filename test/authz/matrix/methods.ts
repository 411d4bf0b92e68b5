import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { DescMethod, DescMethodUnary, DescService } from "@bufbuild/protobuf";

const generated = join(import.meta.dirname, "..", "..", "..", "proto", "gen", "sallyport");

/** Every method of every public contract, found in the generated code and nowhere else. */
export async function publicMethods(): Promise<readonly DescMethodUnary[]> {
  const files = readdirSync(generated, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_pb.ts") && !file.includes("internal/"))
    .toSorted();
  const modules = await Promise.all(
    files.map((file): Promise<object> => import(join(generated, file))),
  );
  const methods = modules
    .flatMap((module) => Object.values(module).filter(isService))
    .flatMap((service) => service.methods);
  for (const { methodKind, name } of methods)
    if (methodKind !== "unary") throw new Error(`${name} is not unary`);
  return methods.filter(isUnary);
}

/** A method's name in the tables, such as "UserService/WhoAmI". */
export function nameOf({ parent, name }: DescMethodUnary): string {
  return `${parent.name}/${name}`;
}

/** Tells a service's descriptor from what else a generated module exports. */
export function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}
