import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

let child: ChildProcess;

beforeEach(async () => {
  child = fork(fileURLToPath(new URL("./testing/stopped-process.ts", import.meta.url)));
  await once(child, "message");
});
afterEach(() => void child.kill("SIGKILL"));

test.each(["SIGTERM", "SIGINT"] as const)("%s stops the process in order", async (signal) => {
  child.kill(signal);
  expect(await once(child, "exit")).toEqual([7, null]);
});

test("the end of the supervisor's channel stops the process in order", async () => {
  child.disconnect();
  expect(await once(child, "exit")).toEqual([7, null]);
});
