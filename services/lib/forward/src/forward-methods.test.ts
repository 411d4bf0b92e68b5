import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { expect, test } from "vitest";
import { forwardMethod, forwardMethods } from "./forward-methods.ts";

// The compiler refuses both; a descriptor that changed under it would not be seen by it.
test("a method without a handler is refused at start", () => {
  expect(() => forwardMethods(ProjectService, {} as never)).toThrow(
    "/sallyport.secrets.v1.ProjectService/CreateProject has no unary handler",
  );
});

test("a stream is refused at start", () => {
  const handler = () => Promise.resolve({});
  const handlers = { resolveKeys: handler, watchRevocations: handler };
  expect(() => forwardMethods(KeyService as never, handlers as never)).toThrow(
    "/sallyport.identity.internal.v1.KeyService/WatchRevocations has no unary handler",
  );
});

test("one method of a service is answered alone, under its path", () => {
  const methods = forwardMethod(ProjectService.method.getProject, async () => ({}));
  expect([...methods.keys()]).toEqual(["/sallyport.secrets.v1.ProjectService/GetProject"]);
  expect(methods.get("/sallyport.secrets.v1.ProjectService/GetProject")).toBeTypeOf("function");
});
