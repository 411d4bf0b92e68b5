import type { Process } from "@sallyport/deploy/local";

/**
 * Settings with which audit accepts any number of records: for suites in which few machines of one
 * token read without end, and that are about something else than the bound on that.
 */
export function unboundRecords(name: Process): Readonly<Record<string, string>> {
  return name === "audit" ? { SALLYPORT_RECORDS_PER_ORIGIN_PER_DAY: "1000000000" } : {};
}
