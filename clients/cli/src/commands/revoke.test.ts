import { SallyportError } from "@sallyport/client";
import { expect, test } from "vitest";
import { takeBack } from "./revoke.ts";

const secrets = ["A", "B", "C"].map((name) => ({ secretId: `sec_${name}`, name }));

/** A server where the machine has grants of those, and fails for others. */
function serverOf(granted: readonly string[], reason: "NOT_FOUND" | "ROLE_REQUIRED" = "NOT_FOUND") {
  const removed: string[] = [];
  const remove = async ({ name }: { readonly name: string }): Promise<void> => {
    if (!granted.includes(name)) throw new SallyportError(reason, `no grant of ${name}`);
    removed.push(name);
  };
  return { removed, remove };
}

test("every grant is taken back", async () => {
  const { removed, remove } = serverOf(["A", "B", "C"]);
  await takeBack("runner-1", secrets, remove);
  expect(removed).toEqual(["A", "B", "C"]);
});

test("one that there is not keeps no other from being taken back, and is named", async () => {
  const { removed, remove } = serverOf(["B", "C"]);
  await expect(takeBack("runner-1", secrets, remove)).rejects.toMatchObject({
    reason: "NOT_FOUND",
    message: "runner-1 had no grant of A; the others were taken back",
    metadata: { field: "grant" },
  });
  expect(removed).toEqual(["B", "C"]);
  await expect(takeBack("runner-1", secrets, serverOf([]).remove)).rejects.toThrow(
    "runner-1 had no grant of A, B, C",
  );
});

test("what else fails ends it", async () => {
  const { removed, remove } = serverOf(["A", "C"], "ROLE_REQUIRED");
  await expect(takeBack("runner-1", secrets, remove)).rejects.toMatchObject({
    reason: "ROLE_REQUIRED",
  });
  expect(removed).toEqual(["A"]);
});
