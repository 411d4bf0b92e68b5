/**
 * Throws with one sentence unless this process leaves no core dump when it crashes: one would hold
 * the KEK and whatever plaintext is in memory. The soft limit decides, and a process cannot raise
 * it through Node.
 */
export function requireNoCoreDumps(): void {
  if (coreLimitOf(process.report.getReport()) !== 0)
    throw new Error("core dumps are on, and would hold the keys: start crypto with `ulimit -c 0`");
}

function coreLimitOf(report: object): unknown {
  const limits: unknown = "userLimits" in report ? report.userLimits : undefined;
  if (typeof limits !== "object" || limits === null || !("core_file_size_blocks" in limits))
    return undefined;
  const limit: unknown = limits.core_file_size_blocks;
  return typeof limit === "object" && limit !== null && "soft" in limit ? limit.soft : undefined;
}
