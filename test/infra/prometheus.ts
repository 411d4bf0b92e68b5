/**
 * A metric as a process shows it: its type, the labels of its series, and their values by the text
 * that names them.
 */
export type ShownMetric = {
  readonly type: string;
  readonly labels: ReadonlySet<string>;
  readonly series: ReadonlyMap<string, number>;
};

/**
 * Reads Prometheus's text format: metrics by name, a histogram's parts with it. Throws on a line
 * that is not of the format.
 */
export function parseMetrics(text: string): ReadonlyMap<string, ShownMetric> {
  const shown = new Map<
    string,
    { type: string; labels: Set<string>; series: Map<string, number> }
  >();
  for (const line of text.split("\n")) {
    const [, declared = "", type = ""] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (declared !== "") shown.set(declared, { type, labels: new Set(), series: new Map() });
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", , labels = "", value = ""] = /^(\w+)(\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === "") throw new Error(`this is no line of the format: ${line}`);
    const metric = shown.get(name) ?? shown.get(name.replace(/_(bucket|sum|count)$/, ""));
    if (!metric) throw new Error(`${name} has no type`);
    for (const [, label = ""] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g))
      if (label !== "le") metric.labels.add(label);
    metric.series.set(`${name}${labels === "" ? "" : `{${labels}}`}`, numberOf(value));
  }
  return shown;
}

function numberOf(value: string): number {
  return value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value);
}

/** Returns every series of a text and its value. */
export function seriesOf(text: string): ReadonlyMap<string, number> {
  return new Map([...parseMetrics(text).values()].flatMap(({ series }) => [...series]));
}
