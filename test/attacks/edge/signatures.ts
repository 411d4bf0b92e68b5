import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { privateKeyOf, rawPublicKey, signBytes } from "@sallyport/client";
import { contentDigest, signatureBase } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { reasonIn } from "../../infra/index.ts";
import type { Ground } from "./ground.ts";
import { openSession, send, signed, whoAmIPath } from "./wire.ts";

const components = '("@method" "@authority" "@path" "content-type" "content-digest")';
const enrollPath = "/sallyport.identity.v1.EnrollmentService/Enroll";
const contentType = "application/json";
const body = Buffer.from("{}");
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

type Parts = {
  readonly list?: string;
  readonly created?: string;
  readonly nonce?: string;
  readonly keyId?: string;
  readonly alg?: string;
  readonly tag?: string;
  readonly more?: string;
};

/** Parameters as the machine would write them, but for what is given. */
function paramsOf({ machine }: Ground, parts: Parts): string {
  const { list = components, created = String(Math.floor(Date.now() / 1000)), more = "" } = parts;
  const { nonce = `"${randomBytes(16).toString("base64url")}"`, keyId = `"${machine.keyId}"` } =
    parts;
  const { alg = ';alg="ed25519"', tag = ';tag="sallyport-v1"' } = parts;
  return `${list};created=${created};nonce=${nonce};keyid=${keyId}${alg}${tag}${more}`;
}

/** A request over those parameters, signed by whatever signs. */
function requestOf(
  { authority, machine }: Ground,
  params: string,
  sign = (base: Uint8Array): Uint8Array =>
    signBytes(privateKeyOf(Buffer.from(machine.seed, "base64")), base),
  path = whoAmIPath,
) {
  const digest = contentDigest(body);
  const parts = { method: "POST", authority, path, contentType, contentDigest: digest };
  const signature = Buffer.from(sign(signatureBase({ ...parts, signatureParams: params })));
  return {
    "content-type": contentType,
    "content-digest": digest,
    "signature-input": `sp=${params}`,
    signature: `sp=:${signature.toString("base64")}:`,
  };
}

const confusions: readonly { readonly name: string; readonly parts: (ground: Ground) => Parts }[] =
  [
    { name: "another algorithm", parts: () => ({ alg: ';alg="rsa-pss-sha512"' }) },
    { name: "Ed25519 with a pre-hash", parts: () => ({ alg: ';alg="ed25519ph"' }) },
    { name: "the algorithm in capitals", parts: () => ({ alg: ';alg="Ed25519"' }) },
    { name: "the algorithm as a token", parts: () => ({ alg: ";alg=ed25519" }) },
    { name: "the algorithm twice", parts: () => ({ alg: ';alg="none";alg="ed25519"' }) },
    { name: "no algorithm", parts: () => ({ alg: "" }) },
    { name: "the algorithm none", parts: () => ({ alg: ';alg="none"' }) },
    { name: "another tag", parts: () => ({ tag: ';tag="sallyport-v2"' }) },
    { name: "no tag", parts: () => ({ tag: "" }) },
    { name: "another parameter", parts: () => ({ more: ";expires=9999999999" }) },
    { name: "created as a text", parts: () => ({ created: `"${Math.floor(Date.now() / 1000)}"` }) },
    {
      name: "created with a fraction",
      parts: () => ({ created: `${Math.floor(Date.now() / 1000)}.5` }),
    },
    { name: "created as a date", parts: () => ({ created: `@${Math.floor(Date.now() / 1000)}` }) },
    {
      name: "created with a sign",
      parts: () => ({ created: `+${Math.floor(Date.now() / 1000)}` }),
    },
    { name: "a short nonce", parts: () => ({ nonce: '"c2hvcnQ"' }) },
    { name: "an empty nonce", parts: () => ({ nonce: '""' }) },
    { name: "a nonce of another alphabet", parts: () => ({ nonce: `"${"+".repeat(22)}"` }) },
    { name: "a keyid of nobody", parts: () => ({ keyId: '"mch_00000000000000000000"' }) },
    {
      name: "a keyid with a line break",
      parts: ({ machine }) => ({ keyId: `"${machine.keyId}\\n"` }),
    },
    {
      name: "a keyid in capitals",
      parts: ({ machine }) => ({ keyId: `"${machine.keyId.toUpperCase()}"` }),
    },
    { name: "a keyid as a token", parts: ({ machine }) => ({ keyId: machine.keyId }) },
    {
      name: "one component less",
      parts: () => ({ list: components.replace(' "content-digest"', "") }),
    },
    {
      name: "one component more",
      parts: () => ({ list: components.replace(")", ' "user-agent")') }),
    },
    {
      name: "components in another order",
      parts: () => ({
        list: components.replace('"@method" "@authority"', '"@authority" "@method"'),
      }),
    },
    {
      name: "a component twice",
      parts: () => ({ list: components.replace('"@method"', '"@method" "@method"') }),
    },
    {
      name: "a component of a request",
      parts: () => ({ list: components.replace('"@path"', '"@path";req') }),
    },
    {
      name: "a component in binary",
      parts: () => ({ list: components.replace('"content-digest"', '"content-digest";bs') }),
    },
    { name: "no component", parts: () => ({ list: "()" }) },
    { name: "two spaces in the list", parts: () => ({ list: components.replace(" ", "  ") }) },
  ];

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

/** S + k·L in 32 bytes: the same scalar in another spelling. */
function respelled(signature: Uint8Array, times: bigint): Buffer {
  const s = littleEndian(signature.subarray(32)) + times * groupOrder;
  const bytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}

type Edge = { readonly name: string; readonly class: string; readonly publicKey: string };
type Edges = { readonly cases: readonly Edge[] };

function weakKeys(): Edge[] {
  const file = join(import.meta.dirname, "..", "..", "vectors", "signing", "ed25519.json");
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as Edges;
  return cases.filter(({ class: kind }) => / A$|not a point/.test(kind));
}

/**
 * Headers that say something else than the profile, and keys and signatures that some libraries
 * take.
 */
export function signatureTests(ground: () => Ground): void {
  async function ask(headers: Readonly<Record<string, string | string[]>>, path = whoAmIPath) {
    const session = openSession(ground());
    const { status, text } = await send(session, path, headers, body);
    session.close();
    return `${status} ${reasonIn(text) ?? ""}`;
  }

  test("the same request by the book is answered", async () => {
    expect(await ask(requestOf(ground(), paramsOf(ground(), {})))).toBe("200 ");
  });

  test.each(confusions)("$name is refused, though signed", async ({ parts }) => {
    expect(await ask(requestOf(ground(), paramsOf(ground(), parts(ground()))))).toBe(
      "401 REQUEST_REJECTED",
    );
  });

  test("a MAC with the public key as its key is no signature", async () => {
    const key = rawPublicKey(privateKeyOf(Buffer.from(ground().machine.seed, "base64")));
    const mac = (base: Uint8Array) => createHmac("sha512", key).update(base).digest();
    for (const alg of ["ed25519", "hmac-sha256"]) {
      const params = paramsOf(ground(), { alg: `;alg="${alg}"` });
      expect(await ask(requestOf(ground(), params, mac))).toBe("401 REQUEST_REJECTED");
    }
  });

  test("two members, two headers and another label are refused", async () => {
    const good = () => requestOf(ground(), paramsOf(ground(), {}));
    const input = "signature-input";
    const shapes = [good(), good(), good(), good(), good()].map((headers, index) => {
      const [label, other] = [headers[input], headers.signature];
      const changed = [
        { [input]: `${label}, ${label.replace("sp=", "sq=")}` },
        { [input]: [label, label] },
        { signature: [other, other] },
        { [input]: label.replace("sp=", "sig1="), signature: other.replace("sp=", "sig1=") },
        { signature: `${other}, sq=:AAAA:` },
      ][index];
      return { ...headers, ...changed };
    });
    for (const headers of shapes) expect(await ask(headers)).toBe("401 REQUEST_REJECTED");
  });

  test("a signature respelled by L is refused, and the one it was made from is good after it", async () => {
    const params = paramsOf(ground(), {});
    const good = requestOf(ground(), params);
    const bytes = Buffer.from(good.signature.slice(4, -1), "base64");
    for (const times of [1n, 8n]) {
      const signature = `sp=:${respelled(bytes, times).toString("base64")}:`;
      expect(await ask({ ...good, signature })).toBe("401 REQUEST_REJECTED");
    }
    const flipped = Buffer.from(bytes);
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    expect(await ask({ ...good, signature: `sp=:${flipped.toString("base64")}:` })).toBe(
      "401 REQUEST_REJECTED",
    );
    expect(await ask(good)).toBe("200 ");
  });

  test("base64 that is not canonical is refused", async () => {
    const good = requestOf(ground(), paramsOf(ground(), {}));
    const loose = good.signature.replace(/([AQgw])==:$/, (_, last: string) => {
      return `${{ A: "B", Q: "R", g: "h", w: "x" }[last]}==:`;
    });
    expect(loose).not.toBe(good.signature);
    expect(await ask({ ...good, signature: loose })).toBe("401 REQUEST_REJECTED");
  });

  // For a key A of small order h·A is the identity for some messages: R = S·B then is a signature
  // by nobody.
  test.each(weakKeys())("a stranger's key that is $name signs nothing", async ({ publicKey }) => {
    const keyId = `"key:${Buffer.from(publicKey, "hex").toString("base64url")}"`;
    const one = Buffer.alloc(64);
    // S = 1, R = B.
    Buffer.from(`58${"66".repeat(31)}`, "hex").copy(one);
    one[32] = 1;
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const headers = requestOf(ground(), paramsOf(ground(), { keyId }), () => one, enrollPath);
      expect(await ask(headers, enrollPath)).toBe("401 REQUEST_REJECTED");
    }
  });

  test.each([
    ["61 s late", -61_000, "401 CLOCK_SKEW"],
    ["64 s ahead", 64_000, "401 CLOCK_SKEW"],
    ["a year late", -31_536_000_000, "401 CLOCK_SKEW"],
    ["57 s ahead", 57_000, "200 "],
  ])("a clock that is %s", async (_, aheadMs, expected) => {
    const { headers } = signed(ground(), { aheadMs });
    expect(await ask(headers)).toBe(expected);
  });
}
