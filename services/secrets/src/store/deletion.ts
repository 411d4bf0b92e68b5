/** When and by whom something was deleted, and when it can be restored no more. */
export type Deletion = {
  readonly deletedAt: Date;
  readonly deletedBy: string;
  readonly purgeAt: Date;
};

/** Which of the stored are meant: the living, or also the deleted while they can be restored. */
export type Scope = "living" | "restorable";

/** The columns of a deletion; all are null for the living. */
export type DeletionRow = {
  deleted_at: Date | null;
  deleted_by: string | null;
  purge_at: Date | null;
};

/** The deletion columns of the table under that alias. */
export function deletionColumns(alias: "p" | "s"): string {
  const names = ["deleted_at", "deleted_by", "deleted_at + purge_delay() as purge_at"];
  return names.map((name) => `${alias}.${name}`).join(", ");
}

/**
 * The condition that a row of the alias is in the scope: its parameter is `scope === "restorable"`.
 * By the clock and not by the transaction's beginning: who waited for a purge's lock must not
 * restore what policy already dropped.
 */
export function inScope(alias: "p" | "s", parameter: `$${number}`): string {
  return `(${alias}.deleted_at is null
           or (${parameter}::boolean and ${alias}.deleted_at > clock_timestamp() - purge_delay()))`;
}

/** Reads the deletion of a row; undefined for the living. */
export function deletionOf({
  deleted_at,
  deleted_by,
  purge_at,
}: DeletionRow): Deletion | undefined {
  if (deleted_at === null || deleted_by === null || purge_at === null) return undefined;
  return { deletedAt: deleted_at, deletedBy: deleted_by, purgeAt: purge_at };
}
