import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { Identity } from "@sallyport/client/identity";
import { defineCommand } from "../definition/define.ts";
import { moment, repeated, required, text } from "../definition/options.ts";
import { boolean, integer, listOf, nullable, object, text as textOf } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { readCaptured } from "../requests/captured.ts";
import { checkCaptured } from "../requests/check.ts";
import { keyFor, readPublicKey } from "../requests/key.ts";
import type { Mark } from "../terminal/screen.ts";
import { chooseIdentity } from "../vaults/choose.ts";

const marks: Readonly<Record<string, Mark>> = { ok: "ok", bad: "bad", open: "warn" };

/**
 * `sallyport request check`: which step of the signature check fails for a request that another
 * client signed.
 */
export const requestCheck = defineCommand({
  description:
    "For authors of clients: the server says REQUEST_REJECTED and no more. Checks a captured " +
    "request step by step, in the order of proto/SIGNING.md §4.1 and with the code of the " +
    "gateway, and shows the text that must be signed. Nothing is sent, and only the length and " +
    "SHA-256 of the content are shown. The file has the bytes of HTTP/1.1 (request line, " +
    "headers, an empty line, the content) or JSON of method, path, headers and body or " +
    'bodyBase64, with :authority among the headers for HTTP/2. "-" is standard input. The exit ' +
    "code is 3 if the check fails.",
  args: { file: required("the captured request", { complete: "files" }) },
  options: {
    key: text(
      "the signer's public key, 32 bytes in base64 or hex, or a PEM file; not needed for an " +
        "enrollment",
      {
        value: "key",
        complete: "files",
      },
    ),
    name: repeated("a public name of the deployment, such as localhost:8443", { value: "host" }),
    at: moment("judge its age as of then; its age is not judged without"),
  },
  examples: [
    ["sallyport request check request.http --key signer.pem", "why is it rejected?"],
    [
      "sallyport request check request.json --name vault.example --at 2026-03-14T15:09:26Z",
      "as it was then",
    ],
  ],
  json: object({
    holds: boolean("whether every step does"),
    steps: listOf(
      object({
        step: textOf("its name in SIGNING §4.1, and `head` before them"),
        status: textOf("`ok`, `bad`, or `open` behind one that is bad"),
        detail: textOf("what has to hold; of a bad one, why it does not"),
      }),
      "in their order",
    ),
    base: nullable(textOf("the text that must be signed; null when the headers give none")),
    requestDigest: nullable(textOf("SIGNING §6, in hex; null with it")),
    bodyBytes: integer("the length of the content"),
    bodySha256: textOf("its SHA-256, in hex"),
  }),
  async run({ args: { file }, options: { key, name, at }, context }) {
    const given = key === undefined ? undefined : readPublicKey(key);
    let own: Identity | undefined;
    const identity = async (): Promise<Identity | undefined> =>
      (own = await chooseIdentity(context.choice, ["machine", "user"]).catch(() => undefined));
    const checked = await checkCaptured(readCaptured(await bytesOf(file)), {
      keyOf: (keyId) => keyFor(keyId, given, identity),
      names: () => (name.length > 0 || !own ? name : [new URL(own.url).host]),
      atMs: at,
    });
    if (!checked.holds) context.exitCode = 3;
    return checked;
  },
  show({ steps, base, bodyBytes, bodySha256 }, screen) {
    for (const { step, status, detail } of steps)
      screen.mark(
        marks[status] ?? "bad",
        `${step.padEnd(14)}  ${status === "open" ? "not come to: " : ""}${detail}`,
      );
    screen.line(`  content         ${bodyBytes} bytes, SHA-256 ${bodySha256}`);
    if (base === null) return;
    screen.line(`  to be signed    ${base.length} bytes, lines joined by one LF, none at the end:`);
    screen.text(base);
  },
});

async function bytesOf(file: string): Promise<Uint8Array> {
  if (file === "-") return buffer(process.stdin);
  return readFile(file).catch(() => {
    throw new UsageError(`${file} cannot be read`, "name a file that can, or - for standard input");
  });
}
