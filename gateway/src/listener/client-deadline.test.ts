import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test } from "vitest";
import { timeoutOf, withinClientsTime } from "./client-deadline.ts";

test.each([
  [{}, 5000],
  [{ "connect-timeout-ms": "1250" }, 1250],
  [{ "connect-timeout-ms": "999" }, 1000],
  [{ "connect-timeout-ms": "0" }, 1000],
  [{ "connect-timeout-ms": "9999999999" }, 5000],
  [{ "connect-timeout-ms": "-1" }, 5000],
  [{ "connect-timeout-ms": "1e3" }, 5000],
  [{ "grpc-timeout": "2S" }, 2000],
  [{ "grpc-timeout": "3000m" }, 3000],
  [{ "grpc-timeout": "2500000u" }, 2500],
  [{ "grpc-timeout": "99999999n" }, 1000],
  [{ "grpc-timeout": "0H" }, 1000],
  [{ "grpc-timeout": "2M" }, 5000],
  [{ "grpc-timeout": "99999999H" }, 5000],
  [{ "grpc-timeout": "123456789m" }, 5000],
  [{ "grpc-timeout": "12" }, 5000],
])("%j leaves %d ms", (headers, milliseconds) => {
  expect(timeoutOf(headers)).toBe(milliseconds);
});

test("a client is answered at its deadline, and the work goes on", async () => {
  const { promise: work, resolve } = Promise.withResolvers<string>();
  const late = withinClientsTime(work, 10);
  await expect(late).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  resolve("done");
  await expect(work).resolves.toBe("done");
});

test("a client with time enough gets what came of the work", async () => {
  await expect(withinClientsTime(Promise.resolve("done"), 10)).resolves.toBe("done");
  await expect(withinClientsTime(Promise.reject(new Error("broken")), 10)).rejects.toThrow(
    "broken",
  );
});
