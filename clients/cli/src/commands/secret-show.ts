import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { locateSecret } from "../find/lookup.ts";
import { momentText } from "../terminal/time.ts";
import { personText } from "../views/person.ts";
import { ofProject } from "../views/secret-options.ts";
import { secretShape, secretView } from "../views/secret.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport secret show SECRET`: everything but the value. */
export const secretShow = defineCommand({
  description: 'Shows no value: machines read values, with "sallyport get".',
  args: { secret: required("name or id; a deleted one by its id", { complete: "secrets" }) },
  options: ofProject,
  examples: [
    ["sallyport secret show DB_URL", "what a secret is, who changed it last"],
    [
      "sallyport secret show DB --project web --json | jq -r '.fields[]'",
      "the names of its fields",
    ],
  ],
  json: secretShape,
  run: ({ args, options: { project }, context }) =>
    context.session.asUser(async (client) =>
      secretView(client, await locateSecret(client, args.secret, project)),
    ),
  show(secret, screen) {
    const { name, project, secretId, fields, note } = secret;
    const value =
      secret.rollbackOf === null ? "" : `, with the value of version ${secret.rollbackOf}`;
    const facts: [string, string][] = [
      ["name", name],
      ["project", project],
      ["id", secretId],
      [
        "version",
        `${secret.version}${value}, of ${momentText(secret.updatedAt)} by ` +
          personText(secret.updatedBy),
      ],
      ["made", `${momentText(secret.createdAt)} by ${personText(secret.createdBy)}`],
    ];
    if (fields.length > 0) facts.push(["fields", fields.join(", ")]);
    note
      .split("\n")
      .forEach((line, index) => note !== "" && facts.push([index === 0 ? "note" : "", line]));
    if (secret.deletedAt !== null) {
      facts.push(["deleted", `${momentText(secret.deletedAt)} by ${personText(secret.deletedBy)}`]);
      facts.push(["gone", momentText(secret.purgeAt)]);
    }
    screen.facts(facts);
    if (secret.deletedAt !== null)
      screen.line(
        `It can be restored until then: sallyport secret restore ${wordOr(secretId, "SECRET")}`,
      );
  },
});
