import { defineCommand } from "../definition/define.ts";
import { flag, required, text } from "../definition/options.ts";
import { findProject } from "../find/lookup.ts";
import { givenOptions, readGiven, refuseAssignment } from "../values/given.ts";
import { intoProject, nameRule, targetOf } from "../values/target.ts";
import { secretShape, secretView } from "../views/secret.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport secret create NAME`: makes a secret, never a version of one that is there. */
export const secretCreate = defineCommand({
  description:
    "The value comes from standard input, a file or a prompt, or is generated and never shown; " +
    "it is sealed before it is sent. One line end of piped input is dropped. A secret with " +
    "fields holds several named texts.",
  args: { name: required(nameRule) },
  options: {
    ...intoProject,
    ...givenOptions,
    note: text(
      "for people, at most 1,000 bytes; it is not sealed: everyone who may list secrets sees it",
      { default: "" },
    ),
    allowDangerousName: flag("allow a name that makes programs run code, such as LD_PRELOAD"),
  },
  examples: [
    ["sallyport secret create DB_URL --project web", "asks for the value without showing it"],
    [
      "sallyport secret create SESSION_KEY --project web --generate=48",
      "a random one that nobody sees",
    ],
    [
      "sallyport secret create DB --project web --field user --field password",
      "asks for two fields",
    ],
    [
      "sallyport secret create TLS --project web --field key=@key.pem --field cert=@cert.pem",
      "from files",
    ],
  ],
  json: secretShape,
  async run({ args, options, context }) {
    refuseAssignment(args.name);
    const { project, name } = targetOf(args.name, options.project);
    const value = await readGiven(name, options);
    const { note, allowDangerousName } = options;
    return context.session.asUserOnce(async (client) => {
      const { projectId, name: projectName } = await findProject(client, project);
      const target = { projectId, projectName, name };
      return secretView(
        client,
        await client.createSecret({ ...target, ...value, note, allowDangerousName }),
      );
    });
  },
  show({ secretId, name, project }, screen, { context }) {
    screen.mark("ok", `made ${name}, version 1`, secretId);
    context.progress.say(
      "next: an owner or admin can grant it: sallyport grant MACHINE " +
        `${wordOr(name, "SECRET")} --project ${wordOr(project, "PROJECT")}`,
    );
  },
});
