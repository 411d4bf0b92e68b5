import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

type Standing = "active" | "disabled" | "revoked" | "expired";
type Named = { readonly ps: readonly number[]; readonly ss: readonly number[] };

/**
 * What happens to policy. Machines m, projects p and secrets s are numbered; secret s belongs to
 * project s % 2.
 */
export type Operation =
  | (Named & { readonly do: "enroll"; readonly m: number; readonly any: boolean })
  | { readonly do: "join" | "leave"; readonly m: number; readonly p: number }
  | { readonly do: "grant"; readonly m: number; readonly s: number; readonly any: boolean }
  | { readonly do: "take"; readonly m: number; readonly s: number }
  | {
      readonly do: "set";
      readonly m: number;
      readonly p: number;
      readonly ss: readonly number[];
      readonly any: boolean;
    }
  | { readonly do: "stand"; readonly m: number; readonly to: Standing }
  | { readonly do: "end"; readonly ms: readonly number[]; readonly to: "revoked" | "expired" }
  | (Named & { readonly do: "retire" | "purge" | "reinstate" })
  | { readonly do: "seal"; readonly s: number; readonly on: boolean }
  | { readonly do: "sealAll"; readonly on: boolean }
  | { readonly do: "wait"; readonly minutes: number };

/** Minutes that a machine lives. */
export const lifetime = 60;

/**
 * Policy as it is meant, in few words and without I/O: written from the contracts, not from the
 * code. `run` does an operation and tells whether it is accepted; `refusal` tells what a read is
 * refused with.
 */
export function createModel() {
  let minute = 0;
  let members: { m: number; p: number }[] = [];
  let grants: { m: number; s: number; any: boolean }[] = [];
  const standing = new Map<number, Standing>();
  const gone = new Map<string, "retired" | "purged">();
  const sealed = new Set<number>();
  let allSealed = false;

  const ended = (m: number) => standing.get(m) === "revoked" || standing.get(m) === "expired";
  const usable = (m: number) => standing.has(m) && !ended(m);
  const shown = (s: number) => !gone.has(`s${s}`) && !gone.has(`p${s % 2}`);
  const isMember = (m: number, p: number) => members.some((one) => one.m === m && one.p === p);
  const grantOf = (m: number, s: number) => grants.find((one) => one.m === m && one.s === s);
  const namesOf = ({ ps, ss }: Named) => [...ps.map((p) => `p${p}`), ...ss.map((s) => `s${s}`)];

  function give(m: number, ss: readonly number[], any: boolean): void {
    grants = grants.filter((one) => one.m !== m || !ss.includes(one.s));
    grants.push(...ss.map((s) => ({ m, s, any })));
  }

  function stand(m: number, to: Standing): boolean {
    if (!standing.has(m) || (ended(m) && (to === "active" || to === "disabled"))) return false;
    if (standing.get(m) !== "revoked") standing.set(m, to);
    return true;
  }

  function step(op: Operation): boolean {
    switch (op.do) {
      case "wait":
        minute += op.minutes;
        return true;
      case "enroll":
        if (standing.has(op.m)) return true;
        if (!op.ss.every((s) => op.ps.includes(s % 2))) return false;
        standing.set(op.m, "active");
        members.push(...op.ps.map((p) => ({ m: op.m, p })));
        give(op.m, op.ss, op.any);
        return true;
      case "join":
        if (!usable(op.m) || gone.has(`p${op.p}`)) return false;
        if (!isMember(op.m, op.p)) members.push({ m: op.m, p: op.p });
        return true;
      case "leave": {
        const known = isMember(op.m, op.p);
        members = members.filter((one) => one.m !== op.m || one.p !== op.p);
        return known;
      }
      case "grant":
        if (!usable(op.m) || !shown(op.s) || !isMember(op.m, op.s % 2)) return false;
        give(op.m, [op.s], op.any);
        return true;
      case "take": {
        const known = grantOf(op.m, op.s) !== undefined;
        grants = grants.filter((one) => one.m !== op.m || one.s !== op.s);
        return known;
      }
      case "set":
        if (!usable(op.m) || gone.has(`p${op.p}`) || !isMember(op.m, op.p)) return false;
        if (!op.ss.every((s) => s % 2 === op.p && shown(s))) return false;
        grants = grants.filter((one) => one.m !== op.m || one.s % 2 !== op.p);
        give(op.m, op.ss, op.any);
        return true;
      case "seal":
        if (!shown(op.s)) return false;
        if (op.on) sealed.add(op.s);
        else sealed.delete(op.s);
        return true;
      case "sealAll":
        allSealed = op.on;
        return true;
      case "stand":
        return stand(op.m, op.to);
      case "end":
        for (const m of op.ms) stand(m, op.to);
        return true;
      case "retire":
        for (const name of namesOf(op)) gone.set(name, gone.get(name) ?? "retired");
        return true;
      case "purge":
        for (const name of namesOf(op)) gone.set(name, "purged");
        return true;
      case "reinstate":
      default:
        if (namesOf(op).some((name) => gone.get(name) === "purged")) return false;
        for (const name of namesOf(op)) gone.delete(name);
        return true;
    }
  }

  return {
    run(op: Operation): boolean {
      const accepted = step(op);
      members = members.filter(({ m, p }) => !ended(m) && gone.get(`p${p}`) !== "purged");
      grants = grants.filter(({ m, s }) => isMember(m, s % 2) && gone.get(`s${s}`) !== "purged");
      return accepted;
    },
    refusal(m: number, s: number, named: boolean, isSealed: boolean): Reason {
      if (standing.get(m) === "disabled" || standing.get(m) === "revoked")
        return Reason.MACHINE_DISABLED;
      if (standing.get(m) === "expired" || (standing.has(m) && minute >= lifetime))
        return Reason.MACHINE_EXPIRED;
      const grant = grantOf(m, s);
      const allowed = grant !== undefined && shown(s) && (grant.any || !named);
      if (!allowed) return Reason.NOT_GRANTED;
      const needsSeal = allSealed || sealed.has(s);
      return needsSeal && !isSealed ? Reason.SEALING_REQUIRED : Reason.UNSPECIFIED;
    },
    /** Secrets that lists name, and the number of projects. */
    listed(m: number): { ss: number[]; ps: number } {
      const ss = grants.filter((one) => one.m === m && shown(one.s)).map(({ s }) => s);
      return { ss, ps: members.filter((one) => one.m === m && !gone.has(`p${one.p}`)).length };
    },
  };
}
