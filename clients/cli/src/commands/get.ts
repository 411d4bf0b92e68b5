import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { integer, required, text } from "../definition/options.ts";
import { integer as whole, object, text as word } from "../definition/shape.ts";
import { saveOutput } from "../app/output-file.ts";
import { fieldOf } from "../values/fields.ts";
import { readOne } from "../values/select.ts";

/** `sallyport get SECRET`: one value to standard output, byte for byte. */
export const get = defineCommand({
  description:
    "The value is written to standard output unchanged. A secret with fields is one JSON " +
    "object; --field takes one of them.",
  args: { secret: required("name or id", { complete: "readableSecrets" }) },
  options: {
    project: text("its project, when the name is in several", {
      value: "project",
      complete: "readableProjects",
    }),
    field: text("one field of it", { value: "name" }),
    version: integer("an older version, where the grant allows it", { min: 1, max: 4_294_967_295 }),
    output: text("write it to a file that only you may read", {
      value: "file",
      complete: "files",
      short: "-o",
    }),
  },
  examples: [
    ["sallyport get DB_URL", "print a value"],
    ["sallyport get TLS_KEY --output key.pem", "write one to a file of mode 0600"],
    ["sallyport get DB --field password", "one field of a secret"],
  ],
  json: object({
    secretId: word("the secret's id"),
    name: word("its name"),
    version: whole("the version that was read"),
    kind: word(
      "`single` or `fields`: then the value is a JSON object of texts, unless one field was " +
        "asked for",
    ),
    value: word("the value in base64"),
  }),
  async run({ args, options, context }) {
    const { project, version, field, output } = options;
    const secret = await context.session.asMachine((client) =>
      readOne(client, args.secret, project, version),
    );
    const content = field === undefined ? secret.plaintext : Buffer.from(fieldOf(secret, field));
    if (output !== undefined) {
      await saveOutput(output, content);
      context.progress.say(`${content.length} bytes to ${output}`);
      if (!context.globals.json) return undefined;
    }
    const { secretId, name } = secret;
    const kind = secret.valueKind === ValueKind.FIELDS && field === undefined ? "fields" : "single";
    return {
      secretId,
      name,
      version: secret.version,
      kind,
      value: Buffer.from(content).toString("base64"),
    };
  },
  show({ name, value }, screen) {
    const content = Buffer.from(value, "base64");
    screen.value(content, name);
    if (screen.isTerminal && content.at(-1) !== 0x0a) screen.line("");
  },
});
