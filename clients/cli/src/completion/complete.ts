import type { Context } from "../app/context.ts";
import { type NamesOf, type Offer, offerFor } from "./candidates.ts";
import type { Shell } from "./scripts.ts";
import { sources } from "./sources.ts";

// A server that is slow must not hold up who types.
const patienceMs = 1_500;

/**
 * Security: what is offered is put on a command line and run with it. Names come from a server, and
 * one that a shell would take for more than a word is not offered.
 */
const harmless = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * The answer to a shell for the last of these words: a line for each candidate, and last what else
 * it may offer.
 */
export async function completionLines(
  shell: Shell,
  words: readonly string[],
  context: Context,
): Promise<string[]> {
  const { candidates, also } = await offer(words, context);
  const lines = candidates
    .filter(({ word }) => harmless.test(word))
    .map(({ word, description }) =>
      shell === "bash" || description === "" ? word : `${word}\t${description}`,
    );
  return [...lines, `:${also}`];
}

async function offer(words: readonly string[], context: Context): Promise<Offer> {
  // A name that looks like an option would be taken for one.
  const namesOf: NamesOf = async (source) =>
    typeof source === "object"
      ? source.words
      : (await sources[source](context)).filter((name) => !name.startsWith("-"));
  const late = new Promise<Offer>((resolve) => {
    setTimeout(() => resolve({ candidates: [], also: "nothing" }), patienceMs).unref();
  });
  // Whatever fails, nothing is offered and nothing said: an error would be written into the line
  // that is being typed.
  return Promise.race([offerFor(words, namesOf), late]).catch(() => ({
    candidates: [],
    also: "nothing",
  }));
}
