/** The state of every combination of the labels of one metric. */
export type Series<T> = {
  /** Finds what is kept for these labels, or makes it. */
  at(labels: Readonly<Record<string, string>>): T;
  entries(): Iterable<Entry<T>>;
};

type Entry<T> = { readonly labels: Readonly<Record<string, string>>; readonly kept: T };

const most = 2_000;
const overflow = "overflow";

/**
 * Keeps something by label values. Requests pass here many times, so a look-up makes one string and
 * nothing else. Labels are few by design; should one ever not be, what comes after 2,000
 * combinations is counted as "overflow".
 */
export function createSeries<T>(names: readonly string[], make: () => T): Series<T> {
  const entries = new Map<string, Entry<T>>();
  const find = (labels: Readonly<Record<string, string>>): T => {
    let key = "";
    for (const name of names) key += `${labels[name] ?? ""}\n`;
    const known = entries.get(key);
    if (known) return known.kept;
    if (entries.size >= most && labels !== others) return find(others);
    const entry = { labels: { ...labels }, kept: make() };
    entries.set(key, entry);
    return entry.kept;
  };
  const others = Object.fromEntries(names.map((name) => [name, overflow]));
  return { at: find, entries: () => entries.values() };
}
