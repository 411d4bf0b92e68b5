const streams = ["stdin", "stdout", "stderr"] as const;

/**
 * Loads modules while Node's standard streams cannot be opened. A module that imports
 * "node:process" opens all three, one that imports "node:util" the last, and an open stream sets
 * O_NONBLOCK on a pipe that this process shares with others: the program that `run` starts, and the
 * next command of the job, would lose input and output. Afterwards the streams are there as ever.
 */
export async function withheldStreams<T>(load: () => Promise<T>): Promise<T> {
  const found = streams.map(
    (name) => [name, Object.getOwnPropertyDescriptor(process, name)] as const,
  );
  for (const [name, descriptor] of found)
    if (descriptor) Object.defineProperty(process, name, { configurable: true, value: undefined });
  try {
    return await load();
  } finally {
    for (const [name, descriptor] of found)
      if (descriptor) Object.defineProperty(process, name, descriptor);
  }
}
