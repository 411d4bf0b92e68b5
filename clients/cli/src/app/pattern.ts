const letters: Readonly<Record<string, string>> = {
  "A-Z": "capitals",
  "a-z": "small letters",
  "0-9": "digits",
};

/**
 * The fault of a field, without a regular expression: the rule that it names is given in
 * words.
 */
export function inWords(description = "out of its bounds"): string {
  const pattern = /`(?<pattern>\^.*\$)`/.exec(description)?.groups?.["pattern"];
  if (pattern === undefined) return description;
  if (pattern.startsWith("^[^")) return "it holds control characters";
  const form = /^\^\(?\[([^\]]+)\]\[([^\]]+)\]\{0,(\d+)\}(?:\)\?)?\$$/;
  const [, first, rest, most] = form.exec(pattern) ?? [];
  if (first === undefined || rest === undefined) return "it has a form that is not allowed here";
  const barred = signsOf(rest).filter((sign) => !signsOf(first).includes(sign));
  const begins = barred.length === 0 ? "" : `, beginning with none of ${barred.join(" ")}`;
  return `write it with ${listOf(rest)}, at most ${Number(most) + 1} of them${begins}`;
}

function rangesOf(set: string): string[] {
  return set.match(/[A-Za-z0-9]-[A-Za-z0-9]/g) ?? [];
}

function signsOf(set: string): string[] {
  return Array.from(set.replaceAll(/[A-Za-z0-9]-[A-Za-z0-9]/g, ""));
}

function listOf(set: string): string {
  const ranges = rangesOf(set);
  const both = ranges.includes("A-Z") && ranges.includes("a-z");
  const named = ranges
    .filter((range) => !both || range === "0-9")
    .map((range) => letters[range] ?? range);
  const all = [...(both ? ["letters"] : []), ...named, signsOf(set).join(" ")].filter(
    (part) => part !== "",
  );
  return all.length === 1 ? (all[0] ?? "") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}
