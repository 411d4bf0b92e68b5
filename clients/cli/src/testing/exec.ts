import { formsOf } from "../run/forms.ts";
import { runFiltered } from "../run/filtered.ts";
import { replaceBy } from "../run/replace.ts";
import { explain, explanationLines } from "../app/failure.ts";

/**
 * Runs a command as `run` does, without a server: `exec.ts plain|filtered COMMAND…`, with VALUE as
 * the secret.
 */
const [how, ...command] = process.argv.slice(2);
const env = Object.fromEntries(
  Object.entries(process.env).map(([name, value]) => [name, value ?? ""]),
);
try {
  if (how === "plain") replaceBy(command, env);
  process.exitCode = await runFiltered(command, env, formsOf(env["VALUE"] ?? ""));
} catch (error) {
  const explanation = explain(error);
  process.stderr.write(`${explanationLines(explanation).join("\n")}\n`);
  process.exitCode = explanation.exitCode;
}
