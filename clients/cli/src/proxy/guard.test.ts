import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { parsePort } from "./address.ts";
import type { ToolRequest } from "./exchange.ts";
import { checkRequest } from "./guard.ts";

const own = new Set(["127.0.0.1:8088", "localhost:8088"]);
const good: ToolRequest = {
  method: "POST",
  path: "/sallyport.identity.v1.UserService/WhoAmI",
  authority: "127.0.0.1:8088",
  httpVersion: 2,
  headers: { "content-type": "application/json", "content-encoding": "identity" },
  body: (async function* () {})(),
};
const withHeaders = (headers: ToolRequest["headers"]): Partial<ToolRequest> => ({
  headers: { ...good.headers, ...headers },
});

describe("a request of a tool", () => {
  test.each([
    "application/json",
    "application/proto",
    "application/grpc",
    "application/grpc+proto",
  ])("in %s passes", (type) => {
    expect(() =>
      checkRequest({ ...good, ...withHeaders({ "content-type": type }) }, own),
    ).not.toThrow();
    expect(() => checkRequest({ ...good, authority: "LOCALHOST:8088" }, own)).not.toThrow();
  });

  test.each<[string, Partial<ToolRequest>, Code, RegExp]>([
    ["a page", withHeaders({ origin: "https://evil.example" }), Code.PermissionDenied, /web pages/],
    ["a sandboxed page", withHeaders({ origin: "null" }), Code.PermissionDenied, /web pages/],
    [
      "a browser",
      withHeaders({ "sec-fetch-site": "cross-site" }),
      Code.PermissionDenied,
      /web pages/,
    ],
    [
      "a rebound name",
      { authority: "evil.example:8088" },
      Code.PermissionDenied,
      /not called "evil/,
    ],
    ["another port", { authority: "127.0.0.1:8089" }, Code.PermissionDenied, /not called/],
    ["no name", { authority: "" }, Code.PermissionDenied, /not called/],
    ["a form", withHeaders({ "content-type": "text/plain" }), Code.InvalidArgument, /content-type/],
    [
      "a charset",
      withHeaders({ "content-type": "application/json; charset=utf-8" }),
      Code.InvalidArgument,
      /nothing after/,
    ],
    ["no type", { headers: {} }, Code.InvalidArgument, /content-type/],
    ["GET", { method: "GET" }, Code.Unimplemented, /POST/],
    ["OPTIONS", { method: "OPTIONS" }, Code.Unimplemented, /POST/],
    [
      "reflection",
      { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" },
      Code.Unimplemented,
      /reflection/,
    ],
    [
      "an internal method",
      { path: "/sallyport.crypto.internal.v1.OpenService/Open" },
      Code.Unimplemented,
      /public/,
    ],
    ["a query", { path: `${good.path}?x=1` }, Code.Unimplemented, /public/],
    ["another path", { path: "/../secret" }, Code.Unimplemented, /public/],
    [
      "an absolute address",
      { path: `http://evil.example${good.path}` },
      Code.Unimplemented,
      /public/,
    ],
    [
      "a Connect stream",
      withHeaders({ "content-type": "application/connect+proto" }),
      Code.Unimplemented,
      /streams/,
    ],
    [
      "gRPC-Web",
      withHeaders({ "content-type": "application/grpc-web+proto" }),
      Code.Unimplemented,
      /gRPC-Web/,
    ],
    [
      "gRPC over HTTP/1.1",
      { ...withHeaders({ "content-type": "application/grpc" }), httpVersion: 1 },
      Code.InvalidArgument,
      /HTTP\/2/,
    ],
    ["gzip", withHeaders({ "content-encoding": "gzip" }), Code.Unimplemented, /compression/],
    ["gzip in gRPC", withHeaders({ "grpc-encoding": "gzip" }), Code.Unimplemented, /compression/],
    [
      "gzip in Connect",
      withHeaders({ "connect-content-encoding": "gzip" }),
      Code.Unimplemented,
      /compression/,
    ],
  ])("of %s is refused", (_, change, code, message) => {
    expect(() => checkRequest({ ...good, ...change }, own)).toThrow(
      expect.objectContaining({ code }),
    );
    expect(() => checkRequest({ ...good, ...change }, own)).toThrow(message);
  });
});

test("it listens on this computer alone", () => {
  expect(parsePort("127.0.0.1:0")).toEqual({ kind: "port", host: "127.0.0.1", port: 0 });
  expect(parsePort("[::1]:8088")).toEqual({ kind: "port", host: "::1", port: 8088 });
  for (const wrong of [
    "0.0.0.0:1",
    "192.0.2.1:1",
    "[::]:1",
    "example.org:1",
    ":1",
    "1",
    "unix:/run/x.sock",
    "127.0.0.1:70000",
    "127.0.0.1",
  ])
    expect(() => parsePort(wrong), wrong).toThrow(/--listen takes/);
});
