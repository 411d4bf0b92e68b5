/** Finds many byte strings at once in a stream, byte for byte (Aho and Corasick). */
export type Matcher = {
  /**
   * Takes the next byte. Returns how many bytes up to it are the longest string that ends here; 0
   * for none.
   */
  next(byte: number): number;
  /** The number of last bytes that may be the beginning of a string. */
  pending(): number;
};

const none = -1;

/** Makes a matcher for the strings. Empty ones are not looked for. */
export function createMatcher(strings: readonly Uint8Array[]): Matcher {
  const size = strings.reduce((sum, { length }) => sum + length, 1);
  // A tree in arrays: for each node its byte, first child, next sibling, depth, fallback, longest
  // string that ends there.
  const byteOf = new Uint8Array(size);
  const child = new Int32Array(size).fill(none);
  const sibling = new Int32Array(size).fill(none);
  const fallback = new Int32Array(size).fill(none);
  const depth = new Int32Array(size);
  const found = new Int32Array(size);
  let nodes = 1;

  const at = (array: Int32Array, node: number): number => array[node] ?? none;
  const step = (node: number, byte: number): number => {
    let next = at(child, node);
    while (next !== none && byteOf[next] !== byte) next = at(sibling, next);
    return next;
  };
  const grow = (node: number, byte: number): number => {
    const known = step(node, byte);
    if (known !== none) return known;
    const made = nodes;
    nodes += 1;
    byteOf[made] = byte;
    depth[made] = at(depth, node) + 1;
    sibling[made] = at(child, node);
    child[node] = made;
    return made;
  };
  for (const string of strings) {
    let node = 0;
    for (const byte of string) node = grow(node, byte);
    found[node] = string.length;
  }
  const follow = (from: number, byte: number): number => {
    for (let node = from; node !== none; node = at(fallback, node)) {
      const next = step(node, byte);
      if (next !== none) return next;
    }
    return 0;
  };
  // Breadth first: a node's fallback is less deep than the node.
  const order = [0];
  for (const node of order) {
    for (let next = at(child, node); next !== none; next = at(sibling, next)) {
      fallback[next] = node === 0 ? 0 : follow(at(fallback, node), byteOf[next] ?? 0);
      found[next] = Math.max(at(found, next), at(found, at(fallback, next)));
      order.push(next);
    }
  }
  found[0] = 0;

  let state = 0;
  return {
    next(byte) {
      state = follow(state, byte);
      return at(found, state);
    },
    pending: () => at(depth, state),
  };
}
