import { expect, test } from "vitest";
import { timeoutOf } from "./deadline.ts";

test.each([
  [{}, 5000],
  [{ "connect-timeout-ms": "250" }, 250],
  [{ "connect-timeout-ms": "9999999999" }, 5000],
  [{ "connect-timeout-ms": "-1" }, 5000],
  [{ "connect-timeout-ms": "1e3" }, 5000],
  [{ "grpc-timeout": "1S" }, 1000],
  [{ "grpc-timeout": "300m" }, 300],
  [{ "grpc-timeout": "2500u" }, 2.5],
  [{ "grpc-timeout": "5000000n" }, 5],
  [{ "grpc-timeout": "2M" }, 5000],
  [{ "grpc-timeout": "99999999H" }, 5000],
  [{ "grpc-timeout": "123456789m" }, 5000],
  [{ "grpc-timeout": "12" }, 5000],
])("%j leaves %d ms", (headers, milliseconds) => {
  expect(timeoutOf(headers)).toBe(milliseconds);
});
