import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { OutcomeSchema, SeveritySchema } from "../gen/sallyport/audit/v1/audit_pb.ts";
import { enumName } from "../names/enum-name.ts";
import { type Action, type EventRule, events, meanings } from "./index.ts";

const document = fileURLToPath(new URL("../../services/audit/EVENTS.md", import.meta.url));

const head = `# What is on record

Every action that the log takes, made of \`proto/catalogue/events.ts\`. A process that is not named as reporter of an action
cannot report it: not in code, which does not compile, and not to the log, which refuses it (LOG.md §1). After a change of
the catalogue: \`npx vitest run --project unit proto/catalogue -u\`.

| action | what it tells | reported by | outcome | severity | detail |
|---|---|---|---|---|---|
`;

function lineOf(action: Action): string {
  const rule: EventRule = events[action];
  const outcomes = rule.outcomes.map((outcome) => enumName(OutcomeSchema, outcome).toLowerCase());
  const cells = [
    `\`${action}\``,
    meanings[action],
    rule.emitters.join(", "),
    outcomes.join(", "),
    enumName(SeveritySchema, rule.severity).toLowerCase(),
    rule.detail.join(", "),
  ];
  return `| ${cells.join(" | ")} |\n`;
}

function isAction(name: string): name is Action {
  return name in events;
}

test("EVENTS.md lists the catalogue as it is", async () => {
  const lines = Object.keys(events).filter(isAction).map(lineOf);
  await expect(head + lines.join("")).toMatchFileSnapshot(document);
});
