import { words } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { integer, text } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { checkTokenId } from "../tokens/find.ts";
import {
  machineShape,
  machineStateOf,
  machineStates,
  plainMachine,
  stateStyle,
} from "../views/machine.ts";
import { seenText } from "../views/user.ts";

/** `sallyport machine list`: the machines of the vault, newest first. */
export const machineList = defineCommand({
  args: {},
  options: {
    state: words("only those that are now", machineStates),
    token: text("only those that this token made, by its id", {
      default: "",
      value: "token",
      complete: "tokens",
    }),
    name: text("only those of exactly this name", {
      default: "",
      value: "name",
      complete: "machines",
    }),
    limit: integer("how many, the newest; all if not given", { min: 1, max: 1_000_000 }),
  },
  examples: [
    ["sallyport machine list --state active", "what can read now"],
    ["sallyport machine list --token tok_0123456789abcdefghjk", "what one token made"],
    [
      "sallyport machine list --json | jq -r '.[] | select(.lastSeenAt == null).name'",
      "what never read",
    ],
  ],
  json: listOf(machineShape),
  async run({ options: { state, token, name, limit }, context }) {
    const tokenId = token === "" ? "" : checkTokenId(token);
    const states = [...new Set(state)].map(machineStateOf);
    const machines = await context.session.asUser((client) =>
      everyPage(async (pageToken) => {
        const query = { pageSize: 200, pageToken, states, tokenId, name };
        const page = await client.services.machines.listMachines(query);
        return { items: page.machines, nextPageToken: page.nextPageToken };
      }, limit),
    );
    return machines.map(plainMachine);
  },
  show(machines, screen) {
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 10 },
        { title: "STATE", cell: ({ state }) => state, style: stateStyle },
        { title: "LAST SEEN", cell: ({ lastSeenAt }) => seenText(lastSeenAt) },
        { title: "FROM", cell: ({ lastSourceIp }) => lastSourceIp || "-", min: 9 },
        { title: "EXPIRES", cell: ({ expiresAt }) => relativeTime(expiresAt) },
        { title: "ID", cell: ({ machineId }) => machineId, style: () => "dim" },
      ],
      machines,
      "There are no such machines.",
    );
  },
});
