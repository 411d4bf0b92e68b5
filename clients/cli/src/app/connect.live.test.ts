import { mkdtempSync, rmSync } from "node:fs";
import { type Server, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { sallyport } from "../testing/sallyport.ts";

// On a busy machine each process takes a second.
vi.setConfig({ testTimeout: 60_000 });

let home: string;
let server: Server;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sallyport-connect-"));
  server = createServer();
});
afterEach(() => {
  server.close();
  rmSync(home, { recursive: true, force: true });
});

/** A gateway that takes connections and does that with them. */
async function gateway(act: (hangUp: () => void) => void): Promise<void> {
  server.on("connection", (socket) => {
    socket.on("error", () => undefined);
    act(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  await placeIdentity(home, { url: `https://localhost:${port}` });
}

const doubt = "it may have been done all the same: look, and do it again if it was not";
const change = (...more: string[]) =>
  sallyport(["project", "create", "web", ...more], { HOME: home });

test("a change whose answer was lost with the connection is said to be in doubt", async () => {
  await gateway((hangUp) => hangUp());
  const { code, err } = await change();
  expect(code).toBe(6);
  expect(err.replaceAll(/\s+/g, " ")).toContain(doubt);
});

test("so is one that nobody answered in time, as JSON too", async () => {
  await gateway(() => undefined);
  const { code, err } = await change("--timeout", "1s", "--json");
  expect(code).toBe(6);
  const { error } = JSON.parse(err) as { error: Record<string, unknown> };
  expect(error).toMatchObject({
    reason: "UNREACHABLE",
    next: doubt,
    metadata: { done: "unknown" },
  });
});

test("a question whose connection was reset is asked again, until its time is over", async () => {
  let connections = 0;
  await gateway((hangUp) => {
    connections += 1;
    hangUp();
  });
  const { code, err } = await sallyport(["whoami", "--timeout", "3s"], { HOME: home });
  expect(code).toBe(6);
  expect(err).toContain("trying again in");
  expect(err).toContain("[UNREACHABLE");
  expect(connections).toBeGreaterThan(1);
});

test("a change that nobody can have heard of is not, and neither is a question", async () => {
  await placeIdentity(home);
  const { code, err } = await change();
  expect(code).toBe(6);
  expect(err).not.toContain("may have been done");
  const asked = await sallyport(["whoami", "--timeout", "1s"], { HOME: home });
  expect(asked.code).toBe(6);
  expect(asked.err).not.toContain("may have been done");
});
