import { explain } from "../app/failure.ts";

/** The result of a check: fine, worth a look, or wrong; and what to do about it. */
export type Finding = {
  readonly check: string;
  readonly status: "ok" | "warn" | "bad";
  readonly detail: string;
  readonly fix: string | null;
  /** The exit code that it asks for when it is bad (README, "Errors, waiting"). */
  readonly exitCode: 0 | 2 | 4 | 6;
};

/** A check that passed. */
export function ok(check: string, detail: string): Finding {
  return { check, status: "ok", detail, fix: null, exitCode: 0 };
}

/** A check that found something worth a look. */
export function warn(check: string, detail: string, fix: string): Finding {
  return { check, status: "warn", detail, fix, exitCode: 0 };
}

/**
 * A check that failed with an error, in the words that a command would say: 6 for what may pass,
 * else 4.
 */
export function failed(check: string, error: unknown): Finding {
  const { message, next, exitCode } = explain(error);
  return bad(check, message, next, exitCode === 6 ? 6 : 4);
}

/** A check that found a fault. */
export function bad(check: string, detail: string, fix: string, exitCode: 2 | 4 | 6): Finding {
  return { check, status: "bad", detail, fix, exitCode };
}
