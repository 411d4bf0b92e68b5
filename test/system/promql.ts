/** A metric that an expression names, and the labels that it selects or groups it by. */
export type NamedMetric = { readonly name: string; readonly labels: readonly string[] };

const words = new Set([
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "and",
  "or",
  "unless",
  "bool",
  "offset",
]);

/**
 * Returns the metrics that a PromQL expression names. The labels of its groupings count for each of
 * them.
 */
export function metricsIn(expression: string): NamedMetric[] {
  const grouped = [...expression.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g)].flatMap(
    ([, labels = ""]) => labels.split(/,\s*/),
  );
  const bare = expression
    .replaceAll(/\b(?:by|without|on|ignoring) \([^)]*\)/g, "")
    .replaceAll(/\[[^\]]*\]/g, "");
  return [...bare.matchAll(/\b([a-z_][a-z0-9_]*)\b(?!\s*\()(\{[^}]*\})?/g)]
    .filter(([, name = ""], index, all) => !words.has(name) && !isWithinSelector(all, index))
    .map(([, name = "", selector = ""]) => {
      const selected = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(
        ([, label = ""]) => label,
      );
      return { name, labels: [...selected, ...grouped].filter((label) => label !== "") };
    });
}

// A selector is part of the match of its metric, so that no later match begins in it.
function isWithinSelector(all: readonly RegExpExecArray[], index: number): boolean {
  const { index: at = 0 } = all[index] ?? {};
  return all.slice(0, index).some((earlier) => earlier.index + earlier[0].length > at);
}
