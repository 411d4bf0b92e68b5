import { expect, test } from "vitest";
import { catalogue } from "./catalogue.ts";
import {
  type Shape,
  differences,
  integer,
  listOf,
  mapOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";

/** The rows of a table for the keys of an object, those of objects within it behind their own. */
function rows(shape: Shape<unknown>, path = ""): string[] {
  if (shape.kind === "list" && shape.items) return rows(shape.items, `${path}[]`);
  if (shape.kind !== "object") return [];
  return Object.entries(shape.keys ?? {}).flatMap(([key, each]) => {
    const at = path === "" || path === "[]" ? key : `${path}.${key}`;
    const kind = each.nullable ? `${kindOf(each)} or null` : kindOf(each);
    return [`| \`${at}\` | ${kind} | ${meaningOf(each)} |`, ...rows(each, at)];
  });
}

function meaningOf(shape: Shape<unknown>): string {
  return shape.means !== "" ? shape.means : (shape.items?.means ?? "");
}

function kindOf(shape: Shape<unknown>): string {
  if (shape.kind === "list" && shape.items) return `list of ${kindOf(shape.items)}`;
  return shape.kind === "map" ? "object" : shape.kind;
}

const introduction = `# What \`sallyport … --json\` prints

Generated from the commands: \`npx vitest run --project unit clients/cli/src/app/json.test.ts -u\` writes it anew.

Keys are only ever added. A key is never left out: one that has no value is \`null\`, or empty or 0 where its meaning says so.
Times are RFC 3339 in UTC. Results go to standard output. An error goes to standard error as one object, and the exit code
says its kind:

\`\`\`json
{"error": {"reason": "NOT_GRANTED", "message": "no grant covers DB_URL", "next": "see what this machine may read …", "metadata": {}, "vouched": null}}
\`\`\`

\`vouched\` is true where the process that owns the data signed the refusal, and false where only the gateway says that a
change was refused: it may have been made all the same.

\`run\` prints what its command prints; with \`--json\` only its own errors are JSON.
`;

test("JSON.md describes what every command prints", async () => {
  const sections: string[] = [];
  for (const { path, load } of catalogue) {
    const { json } = await load();
    if (!json) continue;
    const what = json.kind === "list" ? "A list of objects.\n\n" : "";
    sections.push(
      `## ${path}\n\n${what}| key | kind | meaning |\n|---|---|---|\n${rows(json).join("\n")}\n`,
    );
  }
  await expect([introduction, ...sections].join("\n")).toMatchFileSnapshot("../../JSON.md");
});

test("every key says what it means", async () => {
  for (const { path, load } of catalogue) {
    const { json } = await load();
    if (!json) continue;
    for (const row of rows(json)) expect(row, path).not.toMatch(/\| {2}\|$/);
  }
});

test("a value that differs from its shape is noticed, to the last key", () => {
  const shape = listOf(
    object({
      id: text("x"),
      at: nullable(time("x")),
      n: integer("x"),
      more: mapOf(text("x"), "x"),
    }),
  );
  const right = { id: "a", at: null, n: 1, more: { any: "b" } };
  expect(differences(shape, [right, { ...right, at: "2027-01-01T00:00:00.000Z" }])).toEqual([]);
  const { n: _, ...without } = right;
  expect(differences(shape, [{ ...right, extra: 1 }, without])).toEqual([
    "[0].extra: not documented",
    "[1].n: missing",
  ]);
  expect(
    differences(shape, [{ ...right, id: null, at: "soon", n: 1.5, more: { any: 1 } }]),
  ).toEqual([
    "[0].id: null",
    "[0].at: not a time",
    "[0].n: not a whole number",
    "[0].more.any: not a text",
  ]);
  expect(differences(shape, {})).toEqual([": not a list"]);
});
