import type { Lock } from "./tree.ts";

/**
 * Returns the shortest chain of dependencies by which a package of the lock file reaches another,
 * both included; undefined where it does not reach it. Optional and peer dependencies count: they
 * may be installed.
 */
export function chainTo(lock: Lock, dir: string, name: string): readonly string[] | undefined {
  const seen = new Set([dir]);
  const queue: { readonly at: string; readonly chain: readonly string[] }[] = [
    { at: dir, chain: [dir] },
  ];
  for (const { at, chain } of queue) {
    for (const dependency of lock[at]?.dependencies ?? []) {
      if (dependency === name) return [...chain, dependency];
      const found = locate(lock, at, dependency);
      if (found === undefined || seen.has(found)) continue;
      seen.add(found);
      queue.push({ at: found, chain: [...chain, dependency] });
    }
  }
  return undefined;
}

// As Node looks a package up: in the nearest node_modules on the way to the root.
function locate(lock: Lock, from: string, name: string): string | undefined {
  for (let dir = from; ; dir = dir.slice(0, Math.max(dir.lastIndexOf("/"), 0))) {
    const entry = lock[dir === "" ? `node_modules/${name}` : `${dir}/node_modules/${name}`];
    if (entry) return entry.linkTo ?? (dir === "" ? "" : `${dir}/`) + `node_modules/${name}`;
    if (dir === "") return undefined;
  }
}
