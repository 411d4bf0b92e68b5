import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure } from "@sallyport/rpc";
import { describe, expect, test } from "vitest";
import { type RequestHead, checkFrame, readSignedHead } from "./headers.ts";

type Header = readonly [name: string, value: string];

const path = "/sallyport.gateway.v1.ReadService/ReadSecrets";
const covered: readonly Header[] = [
  [":authority", "sallyport.example"],
  ["content-type", "application/json"],
  ["content-digest", "sha-256=:AA==:"],
  ["signature-input", "sp=()"],
  ["signature", "sp=:AA==:"],
];

function headOf(headers: readonly Header[], changes: Partial<RequestHead> = {}): RequestHead {
  return { method: "POST", url: path, rawHeaders: headers.flat(), ...changes };
}

const without = (name: string): readonly Header[] => covered.filter(([header]) => header !== name);

function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

const invalid = (field: string, description: string) => ({
  reason: Reason.FIELD_INVALID,
  metadata: { field, description },
});

describe("a head", () => {
  test("is read as it was sent, header names in any case", () => {
    const read = {
      method: "POST",
      authority: "sallyport.example",
      path,
      contentType: "application/json",
      contentDigest: "sha-256=:AA==:",
      signatureInput: "sp=()",
      signature: "sp=:AA==:",
    };
    expect(readSignedHead(headOf(covered))).toEqual(read);
    const upper = covered.map(([name, value]) => [name.toUpperCase(), value] as const);
    expect(readSignedHead(headOf(upper))).toEqual(read);
  });

  test.each(["GET", "post", ""])("of method %j is refused", (method) => {
    expect(failureOf(() => readSignedHead(headOf(covered, { method })))).toMatchObject(
      invalid("method", "only POST is answered"),
    );
  });

  test.each([
    `${path}?x=1`,
    `https://sallyport.example${path}`,
    `${path}/`,
    `x${path}`,
    "/ReadSecrets",
    "//ReadSecrets",
    "/a.B/",
    "/a.B/c/d",
    "/a-B/c",
    "/a.B/c_d",
    "*",
    "",
  ])("of target %j is refused", (url) => {
    expect(failureOf(() => readSignedHead(headOf(covered, { url })))).toMatchObject(
      invalid("path", "origin-form without a query is needed"),
    );
  });

  test.each(["/a/b", "/a.b_C0/D9"])("of target %j is taken", (url) => {
    expect(readSignedHead(headOf(covered, { url })).path).toBe(url);
  });

  test.each(["signature-input", "signature"])(
    "without exactly one %s is refused as unsigned",
    (name) => {
      const [header] = covered.filter(([found]) => found === name);
      if (!header) throw new Error("no such header");
      for (const headers of [
        without(name),
        [...covered, header],
        [...covered, [name, "other"] as const],
      ]) {
        const failure = failureOf(() => readSignedHead(headOf(headers)));
        expect(failure).toMatchObject({ reason: Reason.REQUEST_REJECTED, metadata: {} });
        expect(failure.cause).toMatchObject({ message: `exactly one ${name} header is needed` });
      }
    },
  );

  test.each(["content-type", "content-digest"])("without exactly one %s is refused", (name) => {
    const [header] = covered.filter(([found]) => found === name);
    if (!header) throw new Error("no such header");
    for (const headers of [without(name), [...covered, header]])
      expect(failureOf(() => readSignedHead(headOf(headers)))).toMatchObject(
        invalid(name, "exactly one such header is needed"),
      );
  });

  test("with a name behind the last header is read without it", () => {
    const head = headOf(covered);
    const rawHeaders = [...head.rawHeaders, "signature"];
    expect(readSignedHead({ ...head, rawHeaders }).signature).toBe("sp=:AA==:");
  });

  test("of 64 headers is read, of 65 is not", () => {
    const more = (count: number): Header[] =>
      Array.from({ length: count }, (_, at) => [`x-${at}`, "1"]);
    expect(readSignedHead(headOf([...covered, ...more(59)])).path).toBe(path);
    expect(failureOf(() => readSignedHead(headOf([...covered, ...more(60)])))).toMatchObject(
      invalid("headers", "at most 64 headers are read"),
    );
  });
});

describe("the authority", () => {
  test.each([
    {
      name: "in its normal form",
      headers: [[":authority", "sallyport.example:443"]],
      want: "sallyport.example",
    },
    {
      name: "in HTTP/1.1's Host",
      headers: [["Host", "SALLYPORT.example:8443"]],
      want: "sallyport.example:8443",
    },
    {
      name: "twice, and the same",
      headers: [
        [":authority", "sallyport.example"],
        ["host", "SALLYPORT.EXAMPLE:443"],
      ],
      want: "sallyport.example",
    },
  ] as const)("is read $name", ({ headers, want }) => {
    expect(readSignedHead(headOf([...without(":authority"), ...headers])).authority).toBe(want);
  });

  test.each([
    { name: "missing", headers: [] },
    { name: "none", headers: [["host", "localhost:99999"]] },
    {
      name: "none beside a good one",
      headers: [
        [":authority", "sallyport.example"],
        ["host", "localhost:99999"],
      ],
    },
    {
      name: "another in Host",
      headers: [
        [":authority", "sallyport.example"],
        ["host", "elsewhere.example"],
      ],
    },
    {
      name: "the same in a second Host",
      headers: [
        ["host", "sallyport.example"],
        ["host", "sallyport.example"],
      ],
    },
    {
      name: "another in a second Host",
      headers: [
        ["host", "sallyport.example"],
        ["host", "elsewhere.example"],
      ],
    },
  ] as const)("is refused when it is $name", ({ headers }) => {
    expect(
      failureOf(() => readSignedHead(headOf([...without(":authority"), ...headers]))),
    ).toMatchObject(invalid("authority", "exactly one authority is needed"));
  });
});

describe("the content-type", () => {
  const read = (contentType: string, ...more: Header[]) =>
    readSignedHead(headOf([...without("content-type"), ["content-type", contentType], ...more]));

  test.each([
    "application/json",
    "application/proto",
    "application/grpc",
    "application/grpc+proto",
  ])("%s is taken, with identity for an encoding", (contentType) => {
    const encodings: Header[][] = [
      [],
      [["grpc-encoding", "identity"]],
      [["Connect-Content-Encoding", "identity"]],
    ];
    for (const headers of encodings)
      expect(read(contentType, ...headers).contentType).toBe(contentType);
  });

  test("of another kind is refused, and what is taken is told", () => {
    expect(failureOf(() => read("text/plain"))).toMatchObject(
      invalid(
        "content-type",
        "one of application/json, application/proto, application/grpc, application/grpc+proto is needed",
      ),
    );
  });

  test.each(["content-encoding", "trailer"])("with any %s is refused", (name) => {
    for (const value of ["identity", "gzip", ""])
      expect(failureOf(() => read("application/json", [name, value]))).toMatchObject(
        invalid(name, "it is not accepted"),
      );
  });

  test.each(["grpc-encoding", "connect-content-encoding"])(
    "with %s other than identity is refused",
    (name) => {
      const encodings: Header[][] = [
        [[name, "gzip"]],
        [
          [name, "identity"],
          [name, "gzip"],
        ],
        [[name, ""]],
      ];
      for (const headers of encodings)
        expect(failureOf(() => read("application/grpc", ...headers))).toMatchObject(
          invalid(name, "only identity is accepted"),
        );
    },
  );
});

describe("a frame", () => {
  const frame = Uint8Array.of(0, 0, 0, 0, 1, 7);

  test("is asked of gRPC only", () => {
    expect(() => checkFrame("application/grpc", frame)).not.toThrow();
    expect(() => checkFrame("application/json", Uint8Array.of(1, 2))).not.toThrow();
    expect(() => checkFrame("application/proto", Uint8Array.of())).not.toThrow();
  });

  test.each([
    Uint8Array.of(),
    frame.subarray(1),
    Uint8Array.of(1, ...frame.subarray(1)),
    Uint8Array.of(...frame, 0),
  ])("that is not exactly one and plain is refused: %s", (body) => {
    expect(failureOf(() => checkFrame("application/grpc+proto", body))).toMatchObject(
      invalid("body", "exactly one uncompressed gRPC frame is needed"),
    );
  });
});
