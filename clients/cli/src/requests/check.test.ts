import { readFileSync } from "node:fs";
import { createSigner, newSeed, privateKeyOf, rawPublicKey } from "@sallyport/client";
import { describe, expect, test } from "vitest";
import { type CapturedRequest, readCaptured } from "./captured.ts";
import { type Against, type Checked, checkCaptured } from "./check.ts";
import { keyFor } from "./key.ts";

const captured = (name: string): CapturedRequest =>
  readCaptured(readFileSync(new URL(`testdata/${name}`, import.meta.url)));
const go = captured("go-grpc.json");
const python = captured("python-grpc.json");
const enroll = captured("curl-enroll.http");
const read = captured("curl-read.http");
/** The key of the machine that curl enrolled, as its enrollment spells it out. */
const curlKey = keyIn(enroll);

function valueOf({ rawHeaders }: CapturedRequest, name: string): string {
  return rawHeaders[rawHeaders.findIndex((text) => text.toLowerCase() === name) + 1] ?? "";
}

function keyIn(request: CapturedRequest): Uint8Array {
  const [, key = ""] = /keyid="key:([^"]+)"/.exec(valueOf(request, "signature-input")) ?? [];
  return new Uint8Array(Buffer.from(key, "base64url"));
}

function changed(
  request: CapturedRequest,
  name: string,
  change: (value: string) => string,
): CapturedRequest {
  const rawHeaders = request.rawHeaders.map((text, at) =>
    request.rawHeaders[at - 1]?.toLowerCase() === name && at % 2 === 1 ? change(text) : text,
  );
  return { ...request, rawHeaders };
}

const with_ = (more: Partial<Against> & { readonly key?: Uint8Array } = {}): Against => ({
  keyOf: (keyId) => keyFor(keyId, more.key, async () => undefined),
  names: () => [],
  atMs: undefined,
  ...more,
});

/** The step that does not hold, with what is said of it; "" when all do. */
function failing({ steps }: Checked): string {
  const [bad, ...more] = steps.filter(({ status }) => status === "bad");
  expect(more).toEqual([]);
  return bad ? `${bad.step}: ${bad.detail}` : "";
}

/** Signs what was captured anew, as a signer does that is right but for what it was given. */
function signedAnew(
  request: CapturedRequest,
  body: Uint8Array,
  path = request.url,
  authority = "h.example",
) {
  const seed = newSeed();
  const contentType = valueOf(request, "content-type");
  const signer = createSigner(seed, "mch_0123456789abcdefghjk", () => 1_796_077_404_000);
  const { headers } = signer.sign({ authority, path, contentType }, body);
  const rawHeaders = [
    "host",
    authority,
    "content-type",
    contentType,
    ...Object.entries(headers).flat(),
  ];
  const key = rawPublicKey(privateKeyOf(seed));
  return { request: { ...request, url: path, rawHeaders, body }, key };
}

describe("a captured request", () => {
  test.each([
    ["Go over gRPC", go, undefined],
    ["Python over gRPC", python, undefined],
    ["curl, to enroll", enroll, undefined],
    ["curl, to read", read, curlKey],
  ] as const)("of %s holds at every step", async (_, request, key) => {
    const checked = await checkCaptured(request, with_(key ? { key } : {}));
    expect(failing(checked)).toBe("");
    expect(checked.holds).toBe(true);
    expect(checked.steps.map(({ step }) => step)).toEqual([
      "head",
      "content-type",
      "content-digest",
      "signature",
      "binding",
      "signature",
      "method",
      "authority",
      "path",
      "created",
      "content-digest",
      "body",
      "field",
    ]);
    expect(checked.base).toMatch(/^"@method": POST\n"@authority": localhost:\d+\n/);
    expect(checked.requestDigest).toMatch(/^[0-9a-f]{64}$/);
  });

  const twice = (request: CapturedRequest, name: string) => ({
    ...request,
    rawHeaders: [...request.rawHeaders, name, valueOf(request, name)],
  });
  const flipped = (request: CapturedRequest): CapturedRequest =>
    changed(request, "signature", (value) =>
      value.replace(/:(.)/, (_, first) => `:${first === "A" ? "B" : "A"}`),
    );

  test.each([
    ["head: signature twice", twice(go, "signature"), /^head: exactly one signature header/],
    ["head: a digest twice", twice(python, "content-digest"), /^head: content-digest: exactly one/],
    ["head: GET", { ...enroll, method: "GET" }, /^head: method: only POST/],
    ["head: a query", { ...enroll, url: `${enroll.url}?a=1` }, /^head: path: origin-form/],
    [
      "head: a character set",
      changed(enroll, "content-type", (type) => `${type}; charset=utf-8`),
      /^head: content-type: one of/,
    ],
    [
      "content-digest: another algorithm",
      changed(go, "content-digest", (value) => value.replace("sha-256", "sha-512")),
      /^content-digest: it is not one SHA-256/,
    ],
    [
      "signature: another order of components",
      changed(python, "signature-input", (value) =>
        value.replace('"@method" "@authority"', '"@authority" "@method"'),
      ),
      /^signature: the covered components are not the profile's/,
    ],
    [
      "signature: another tag",
      changed(enroll, "signature-input", (value) => value.replace("sallyport-v1", "mine")),
      /^signature: the tag is not sallyport-v1/,
    ],
    ["signature: a bit", flipped(go), /^signature: it does not hold; it is another key's/],
    ["signature: a bit, Python", flipped(python), /^signature: it does not hold/],
    [
      "signature: the path of another method",
      { ...enroll, url: enroll.url.replace("Enroll", "GetToken") },
      /^signature: it does not hold/,
    ],
    [
      "content-digest: another content",
      { ...go, body: Buffer.alloc(6) },
      /^content-digest: .*the content's is sha-256/,
    ],
    [
      "content-digest: a line feed that an editor put behind it",
      { ...enroll, body: Buffer.concat([enroll.body, Buffer.from("\n")]) },
      /^content-digest: it is another body's; the content's is sha-256=:/,
    ],
  ] as const)("%s", async (_, request, why) => {
    const checked = await checkCaptured(request, with_());
    expect(failing(checked)).toMatch(why);
    expect(checked.holds).toBe(false);
    const at = checked.steps.findIndex(({ status }) => status === "bad");
    expect(checked.steps.slice(0, at).every(({ status }) => status === "ok")).toBe(true);
    expect(checked.steps.slice(at + 1).every(({ status }) => status === "open")).toBe(true);
  });

  test("binding: another key than the one that is spelled out", async () => {
    expect(failing(await checkCaptured(enroll, with_({ key: keyIn(go) })))).toMatch(/^binding: /);
  });

  test("signature: another key than the signer's", async () => {
    expect(failing(await checkCaptured(read, with_({ key: keyIn(go) })))).toMatch(
      /^signature: it does not hold/,
    );
  });

  test("authority and created are judged where a name and a time are given", async () => {
    const names = () => ["vault.example"];
    expect(failing(await checkCaptured(go, with_({ names })))).toMatch(
      /^authority: .*it says localhost:/,
    );
    const created = Number(/created=(\d+)/.exec(valueOf(go, "signature-input"))?.[1]) * 1000;
    expect(failing(await checkCaptured(go, with_({ atMs: created + 60_000 })))).toBe("");
    expect(failing(await checkCaptured(go, with_({ atMs: created + 61_000 })))).toMatch(
      /^created: .*it says 20/,
    );
  });

  test.each([
    [
      "body: an unknown field",
      '{"allGranted":true,"all":1}',
      /^body: the message is malformed or has unknown/,
    ],
    [
      "body: a field twice",
      '{"allGranted":true,"all_granted":true}',
      /^body: the message gives a field twice/,
    ],
    ["field: a bound", '{"secretIds":["hunter2"]}', /^field: secret_ids\[0\]: /],
    [
      "field: a recipient key of small order",
      `{"allGranted":true,"recipient":{"suite":1,"publicKey":"${Buffer.alloc(32).toString("base64")}"}}`,
      /^field: recipient.public_key: is a key of small order/,
    ],
  ])("%s", async (_, body, why) => {
    const { request, key } = signedAnew(read, Buffer.from(body));
    const checked = await checkCaptured(request, with_({ key }));
    expect(failing(checked)).toMatch(why);
    expect(JSON.stringify(checked)).not.toContain("hunter2");
  });

  test("body: gRPC content that is no frame, and a path that is no method's", async () => {
    const grpc = signedAnew(go, Buffer.from([1, 0, 0, 0, 0]));
    expect(failing(await checkCaptured(grpc.request, with_({ key: grpc.key })))).toMatch(
      /^body: body: exactly one/,
    );
    const nowhere = signedAnew(
      read,
      Buffer.from("{}"),
      "/sallyport.gateway.v1.ReadService/Nothing",
    );
    const checked = await checkCaptured(nowhere.request, with_({ key: nowhere.key }));
    expect(failing(checked)).toMatch(/^body: path: it is no public method's/);
  });
});
