import { afterEach, expect, test, vi } from "vitest";
import { requireNoCoreDumps } from "./core-dumps.ts";

afterEach(() => void vi.restoreAllMocks());

function startWith(report: object): void {
  vi.spyOn(process.report, "getReport").mockReturnValue(report);
  requireNoCoreDumps();
}

test("a soft limit of 0 lets the process start", () => {
  expect(() =>
    startWith({ userLimits: { core_file_size_blocks: { soft: 0, hard: "unlimited" } } }),
  ).not.toThrow();
});

test.each([
  { name: "another limit", report: { userLimits: { core_file_size_blocks: { soft: 1 } } } },
  {
    name: "no limit at all",
    report: { userLimits: { core_file_size_blocks: { soft: "unlimited" } } },
  },
  {
    name: "a limit of another type",
    report: { userLimits: { core_file_size_blocks: { soft: "0" } } },
  },
  { name: "no soft limit", report: { userLimits: { core_file_size_blocks: { hard: 0 } } } },
  { name: "a limit that is a number", report: { userLimits: { core_file_size_blocks: 0 } } },
  { name: "a limit that is null", report: { userLimits: { core_file_size_blocks: null } } },
  { name: "other limits only", report: { userLimits: {} } },
  { name: "limits that are a text", report: { userLimits: "0" } },
  { name: "limits that are null", report: { userLimits: null } },
  { name: "a report without limits", report: {} },
])("$name stops it with one sentence", ({ report }) => {
  expect(() => startWith(report)).toThrow(
    new Error("core dumps are on, and would hold the keys: start crypto with `ulimit -c 0`"),
  );
});
