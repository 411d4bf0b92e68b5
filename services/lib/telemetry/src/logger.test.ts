import { expect, test } from "vitest";
import { createLogger } from "./index.ts";

function logged(
  run: (logger: ReturnType<typeof createLogger>) => void,
  level?: string,
): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const stream = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  run(createLogger({ service: "audit", level, stream }));
  return lines;
}

test("a line has time, level name, service and the fields given, and nothing of the host", () => {
  const [line] = logged((logger) => logger.info({ request_id: "req_1" }, "answered"));
  expect(Object.keys(line ?? {}).sort()).toEqual(["level", "msg", "request_id", "service", "time"]);
  expect(line).toMatchObject({
    level: "info",
    service: "audit",
    msg: "answered",
    request_id: "req_1",
  });
  expect(new Date(String(line?.["time"])).toISOString()).toBe(line?.["time"]);
});

test("an error is logged with every cause, and without what drivers hang on it", () => {
  const cause = Object.assign(new Error("duplicate key"), {
    code: "23505",
    constraint: "users_name_key",
    detail: "Key (name)=(alice) already exists.",
    details: [{ plaintext: "hunter2" }],
  });
  const [line] = logged((logger) =>
    logger.error({ err: new Error("insert", { cause }) }, "failed"),
  );
  expect(line).toMatchObject({
    err: {
      type: "Error",
      message: "insert",
      cause: { code: "23505", constraint: "users_name_key" },
    },
  });
  expect(JSON.stringify(line)).not.toMatch(/Key \(name\)|hunter2/);
});

test("a chain of causes that bites its tail ends", () => {
  const error = new Error("a");
  error.cause = error;
  expect(logged((logger) => logger.error({ err: error }))).toHaveLength(1);
});

test("what was thrown and is no error is logged as text", () => {
  const [line] = logged((logger) => logger.error({ err: "text" }));
  expect(line).toMatchObject({ err: { type: "string", message: "text" } });
});

test("levels: info unless told otherwise, silent for nothing, an unknown one is refused", () => {
  expect(logged((logger) => logger.debug("x"))).toHaveLength(0);
  expect(logged((logger) => logger.debug("x"), "debug")).toHaveLength(1);
  expect(logged((logger) => logger.fatal("x"), "silent")).toHaveLength(0);
  expect(() => createLogger({ service: "audit", level: "loud" })).toThrow(/loud/);
});
