import type { Session } from "../app/session.ts";
import { type VariableChoice, choiceOf } from "./options.ts";
import { type ReadingClient, type ReadSecret, readSelected } from "./select.ts";
import { NameTaken, type Naming, type Variable, variablesOf } from "./variables.ts";

/**
 * Reads what the options select and gives it the names that they say; `identifiers` when every name
 * has to be fit for a variable. Throws what selecting and naming throw.
 */
export async function readVariables(
  session: Pick<Session, "asMachine">,
  options: VariableChoice,
  identifiers: boolean,
): Promise<Variable[]> {
  const { selection, naming } = choiceOf(options, identifiers);
  return session.asMachine(async (client) =>
    nameAll(client, await readSelected(client, selection), naming),
  );
}

/**
 * Names what was read; of two that would have one name the error says in which projects they are.
 */
export async function nameAll(
  client: Pick<ReadingClient, "listReadable">,
  secrets: readonly ReadSecret[],
  naming: Naming,
): Promise<Variable[]> {
  try {
    return variablesOf(secrets, naming);
  } catch (error) {
    if (!(error instanceof NameTaken)) throw error;
    const readable = await client.listReadable();
    const projects = new Map(readable.map(({ secretId, projectName }) => [secretId, projectName]));
    const placed = secrets.map((secret) => ({
      ...secret,
      project: projects.get(secret.secretId) ?? secret.projectId,
    }));
    return variablesOf(placed, naming);
  }
}
