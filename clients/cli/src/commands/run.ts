import { defineCommand } from "../definition/define.ts";
import { flag, list, rest, unless } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { childEnvironment } from "../run/environment.ts";
import { runFiltered } from "../run/filtered.ts";
import { charactersOf, formsOf, knownForms, shortestFiltered } from "../run/forms.ts";
import { replaceBy } from "../run/replace.ts";
import { variableOptions } from "../values/options.ts";
import { readVariables } from "../values/read.ts";
import type { Variable } from "../values/variables.ts";
import type { Context } from "../app/context.ts";

/** `sallyport run -- COMMAND`: runs a command with secrets in its environment. */
export const run = defineCommand({
  description:
    "The command replaces this program: signals, the terminal and the exit code are its own. " +
    "It inherits the environment, except names that begin with SALLYPORT_. With --redact it " +
    "runs as a child whose output is filtered and is not a terminal; values shorter than 4 " +
    "characters are not filtered, nor a value in a form that is not listed there. To ignore a " +
    'signal, set that up behind it, since the runtime resets such settings: "sallyport run -- ' +
    'nohup COMMAND". Its own failures have exit code 125.',
  args: { command: rest("the command and its arguments, after --", { complete: "files" }) },
  options: {
    ...variableOptions,
    redact: flag(`put [redacted] for every value that the command prints: ${knownForms}`),
    inherit: unless("pass on nothing of the environment but PATH, HOME and the like"),
    keep: list("with --no-inherit, pass on these variables too", { value: "A,B" }),
  },
  examples: [
    ["sallyport run -- ./deploy.sh --fast", "with everything this machine may read"],
    ["sallyport run --only DB_URL --redact -- npm test", "one secret, and not in the log"],
    ["sallyport run --except TLS_KEY -- ./deploy.sh", "all but one"],
    ["sallyport run -- nohup ./worker.sh", "a command that outlives its terminal"],
    [
      "sallyport run --map PGPASSWORD=DB:password -- psql",
      "a field, under the name that a program wants",
    ],
  ],
  json: undefined,
  async run({ args: { command }, options, context }) {
    const { inherit, keep, redact } = options;
    if (inherit && keep.length > 0)
      throw new UsageError("--keep goes with --no-inherit", "omit one of them");
    const variables = await readVariables(context.session, options, true);
    const env = childEnvironment(context.env, variables, { inherit, keep });
    if (!redact) return replaceBy(command, env);
    context.exitCode = await runFiltered(command, env, formsToFilter(variables, context));
    return undefined;
  },
  show: () => undefined,
});

function formsToFilter(variables: readonly Variable[], { progress }: Context): Uint8Array[] {
  const texts = variables.map(
    ({ name, plaintext }) => [name, Buffer.from(plaintext).toString("utf8")] as const,
  );
  const short = texts.filter(([, text]) => text !== "" && charactersOf(text) < shortestFiltered);
  if (short.length > 0)
    progress.say(
      `not filtered, being shorter than ${shortestFiltered} characters: ` +
        short.map(([name]) => name).join(", "),
    );
  return texts.flatMap(([, text]) => formsOf(text));
}
