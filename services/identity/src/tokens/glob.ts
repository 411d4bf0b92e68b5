/** A pattern over whole texts. */
export type Glob = { matches(text: string): boolean };

/** A pattern that cannot be used; the message says why and repeats nothing of it. */
export class GlobError extends Error {
  override readonly name = "GlobError";
}

// "many" is any number of characters; the others say which one character they stand for.
type Element = "many" | ((character: string) => boolean);

/** The forms in which a character may match: itself, or an ASCII letter in both cases. */
type Forms = (character: string) => readonly string[];

const printable = /^[!-~]*$/;

/**
 * Reads a glob: `*` is any number of characters, `?` is one, `[a-z0-9_]` is one of them, `[!a-z]`
 * is one that is none of them, everything else is itself; `\`, `{`, `}` and a `]` alone are
 * refused. With `anyCase`, ASCII letters match in both cases. Matching takes at most as many steps
 * as pattern and text have characters, multiplied. Throws GlobError.
 */
export function parseGlob(pattern: string, { anyCase = false } = {}): Glob {
  if (!printable.test(pattern))
    throw new GlobError("may hold printable ASCII characters only, and no spaces");
  const elements = elementsOf(pattern, anyCase ? bothCases : (character) => [character]);
  return { matches: (text) => matchAll(elements, Array.from(text)) };
}

function elementsOf(pattern: string, forms: Forms): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at);
    if (character === "*") elements.push("many");
    else if (character === "?") elements.push(() => true);
    else if (character === "[") {
      const end = pattern.indexOf("]", at);
      if (end < 0) throw new GlobError("has a [ without its ]");
      elements.push(classOf(pattern.slice(at + 1, end), forms));
      at = end;
    } else if ("]{}\\".includes(character))
      throw new GlobError(`has a ${character} that means nothing`);
    else elements.push((other) => forms(other).includes(character));
  }
  return elements;
}

function classOf(content: string, forms: Forms): Element {
  const negated = content.startsWith("!");
  const members = negated ? content.slice(1) : content;
  if (members === "") throw new GlobError("has an empty class");
  if (/[[\\^]/.test(members)) throw new GlobError("has a class with [, \\ or ^ in it");
  const ranges = rangesOf(members);
  const isMember = (form: string) => ranges.some(([from, to]) => from <= form && form <= to);
  return (character) => forms(character).some(isMember) !== negated;
}

// A dash between two characters makes a range, elsewhere it is itself.
function rangesOf(members: string): [from: string, to: string][] {
  const ranges: [string, string][] = [];
  for (let at = 0; at < members.length;) {
    const from = members.charAt(at);
    const isRange = members.charAt(at + 1) === "-" && at + 2 < members.length;
    const to = isRange ? members.charAt(at + 2) : from;
    if (to < from) throw new GlobError("has a range that runs backwards");
    ranges.push([from, to]);
    at += isRange ? 3 : 1;
  }
  return ranges;
}

function bothCases(character: string): readonly string[] {
  return /^[A-Za-z]$/.test(character)
    ? [character.toLowerCase(), character.toUpperCase()]
    : [character];
}

// Greedy, going back to the last star only: an earlier star could take no more than the last one
// can.
function matchAll(elements: readonly Element[], text: readonly string[]): boolean {
  let [next, read, star, held] = [0, 0, -1, 0];
  while (read < text.length) {
    const element = elements[next];
    if (element === "many") [star, held, next] = [next, read, next + 1];
    else if (element?.(text[read] ?? "")) [next, read] = [next + 1, read + 1];
    else if (star >= 0) [next, held, read] = [star + 1, held + 1, held + 1];
    else return false;
  }
  while (elements[next] === "many") next += 1;
  return next === elements.length;
}
