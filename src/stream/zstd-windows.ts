/** The memory for the windows of all frames that are decompressed at a time: that of the largest window. */
const MEMORY = 128 * 1024 * 1024;

let used = 0;
const waiting: { size: number; go: () => void }[] = [];

/**
 * Waits until there is memory for a decoder's window. Layers are decompressed side by side, and each may state the
 * largest window that there is.
 * @returns frees the memory; call it once
 */
export async function takeWindow(size: number): Promise<() => void> {
  if (waiting.length > 0 || used + size > MEMORY) {
    await new Promise<void>((go) => {
      waiting.push({ size, go });
    });
  } else {
    used += size;
  }
  return () => {
    used -= size;
    // In order, so that a large window is not overtaken for ever.
    for (let [next] = waiting; next !== undefined && used + next.size <= MEMORY; [next] = waiting) {
      waiting.shift();
      used += next.size;
      next.go();
    }
  };
}
