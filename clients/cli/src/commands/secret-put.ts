import { type Sallyport, type Services, toSallyportError } from "@sallyport/client";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { defineCommand } from "../command/define.ts";
import { flag, required, requiredText, text } from "../command/options.ts";
import { integer, object, text as word } from "../command/shape.ts";
import { readValue } from "../input.ts";
import { findProject, findSecret } from "../lookup.ts";

/** `sallyport secret put NAME`: makes a secret or its next version; the value is sealed before it is sent. */
export const secretPut = defineCommand({
  description:
    "The value comes from standard input, a file or a prompt, never from the command line, where other programs could see it. One newline at the end of piped input is dropped.",
  args: { name: required("the secret's name") },
  options: {
    project: requiredText("its project, by name or id", { value: "project", complete: "projects" }),
    file: text("read the value from a file, byte for byte", { value: "file", complete: "files" }),
    exact: flag("keep a newline at the end of piped input"),
    allowDangerousName: flag("allow a name that makes programs run code, such as LD_PRELOAD"),
  },
  examples: [
    ["sallyport secret put DB_URL --project web", "asks for the value without showing it"],
    ['printf %s "$DB_URL" | sallyport secret put DB_URL --project web', "from a pipe"],
    ["sallyport secret put TLS_KEY --project web --file key.pem", "from a file"],
  ],
  json: object({
    secretId: word("the secret's id"),
    name: word("its name"),
    version: integer("the version that was stored"),
  }),
  async run({ args: { name }, options, context }) {
    const { file, exact } = options;
    const prompt = `Value of ${name}: `;
    const plaintext = await readValue({ prompt, exact, ...(file === undefined ? {} : { file }) });
    const secret = await context.session.asUserOnce((client) => put(client, name, plaintext, options));
    return { secretId: secret.secretId, name, version: secret.currentVersion };
  },
  show: ({ secretId, name, version }, screen) =>
    screen.mark("ok", `stored ${name}, version ${version}`, secretId),
});

/** What storing a value needs of a client. */
export type Writer = Pick<Sallyport, "createSecret" | "addVersion"> & {
  readonly services: Pick<Services, "projects" | "secrets">;
};

/** Makes a secret or its next version. The value is sealed for the names as they were typed, not as they were looked up. */
export async function put(
  client: Writer,
  name: string,
  plaintext: Uint8Array,
  { project, allowDangerousName }: { readonly project: string; readonly allowDangerousName: boolean },
): Promise<Secret> {
  const { projectId, name: projectName } = await findProject(client, project);
  const existing = await findSecret(client, projectId, name).catch(absent);
  if (!existing) return client.createSecret({ projectId, projectName, name, plaintext, allowDangerousName });
  const { secretId, currentVersion: expectedVersion } = existing;
  return client.addVersion({ secretId, name, projectId, projectName, expectedVersion, plaintext });
}

function absent(error: unknown): undefined {
  const known = toSallyportError(error);
  if (known.reason === "NOT_FOUND") return undefined;
  throw known;
}
