import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where the vectors of proto/SIGNING.md are. */
export const signingVectors = join(import.meta.dirname, "..", "vectors", "signing");

type Vector = Readonly<Record<string, unknown>>;
type Rule = (vector: Vector) => string;

const refused: Rule = () => "refused";
const refusedAtStep: Rule = ({ step }) => `refused: ${text(step)}`;
const openedValues: Rule = ({ values, nextPageToken }) =>
  [...list(values).map((value) => opened(record(value))), text(nextPageToken)].join("\n");
const opened = ({ secretId, name, version, value }: Vector): string =>
  [secretId, name, String(version), value].map(text).join(" ");
const field = (...names: readonly string[]): Rule => {
  return (vector) => names.map((name) => text(vector[name])).join(" ");
};

/** The expected verdict of each vector, by file and list. */
const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  answers: {
    methods: ({ owner }) => text(owner),
    contentsValid: () => "valid",
    contentsInvalid: refusedAtStep,
    refusalsValid: ({ vouched }) => (vouched === true ? "vouched" : "the gateway's"),
    refusalsInvalid: refusedAtStep,
  },
  authority: { cases: ({ normal }) => text(normal ?? "refused") },
  bodies: {
    valid: ({ secretIds }) => list(secretIds).map(text).join(" "),
    invalid: ({ refused: step }) => `refused: ${text(step)}`,
  },
  ed25519: { cases: ({ valid }) => (valid === true ? "valid" : "refused") },
  "headers-invalid": { signatureInput: refused, signature: refused },
  labels: { signed: field("preimage", "signature"), authenticated: field("preimage", "mac") },
  replies: {
    keysetsValid: () => "valid",
    keysetsInvalid: refusedAtStep,
    repliesValid: openedValues,
    repliesInvalid: refusedAtStep,
  },
  "requests-invalid": { requests: refusedAtStep },
  "requests-valid": { requests: field("requestDigest") },
  rfc9421: { cases: field("base") },
  sealing: { readInfo: field("info"), readAad: field("aad"), writeInfo: field("info") },
  tokens: {
    rootFingerprint: field("rootFingerprint"),
    valid: field("kind", "id", "vaultId", "rootFingerprint", "seed", "keySha256"),
    invalid: refused,
    enrollmentStatement: field("statement", "signature"),
    loginStatement: field("statement", "signature"),
    renewalStatement: field("statement", "signature"),
    invalidRenewalProofs: refused,
  },
};

/**
 * The verdicts that a foreign program must print, by file, list and index; throws for a file
 * without a rule.
 */
export function expectedVerdicts(): Record<string, string> {
  const files = readdirSync(signingVectors).filter((name) => name.endsWith(".json"));
  return Object.fromEntries(files.flatMap((name) => verdictsOf(name.slice(0, -".json".length))));
}

function verdictsOf(file: string): [string, string][] {
  const parsed: unknown = JSON.parse(readFileSync(join(signingVectors, `${file}.json`), "utf8"));
  const vectors = record(parsed);
  const lists = rules[file] ?? {};
  for (const [name, found] of Object.entries(vectors))
    if (Array.isArray(found) && name !== "authorities" && !lists[name])
      throw new Error(`no rule for the vectors of ${file}, ${name}`);
  return Object.entries(lists).flatMap(([name, rule]): [string, string][] => {
    const found = vectors[name];
    if (Array.isArray(found))
      return found.map((item, i) => [`${file}/${name}/${i}`, rule(record(item))]);
    return [[`${file}/${name}`, rule(typeof found === "string" ? vectors : record(found))]];
  });
}

function record(value: unknown): Vector {
  if (typeof value !== "object" || value === null) throw new Error("a vector is not an object");
  return { ...value };
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("a list is missing in a vector");
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing in a vector");
  return value;
}
