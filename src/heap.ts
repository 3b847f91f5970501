import { setFlagsFromString } from 'node:v8';

/** What the process does that decides how its heap may grow. */
export interface HeapOptions {
  /**
   * Whether it saves images out of daemons, or archives out of streams. What these send arrives in buffers of its own, and
   * the peak would grow with the image if they piled up. Default true. With false, V8 marks the whole heap less often,
   * which saves CPU time.
   */
  savesStreams?: boolean | undefined;
}

/**
 * Sets up V8's garbage collector, for the whole process: for programs that do nothing but transport images, as the command line
 * does before each command. A run allocates mostly short-lived buffers; the rest of the heap is small.
 * Generations that grow keep buffers alive: a fifth to a quarter more memory, and more the longer a run takes. With the
 * smallest generations, V8 marks the whole heap with every 10 MB of buffers, which costs a fifth of all CPU time. With
 * this factor the peak is about 8 MB higher, and most of that cost is gone.
 *
 * Call it when most modules are loaded. V8 takes Node's own modules from a cache of compiled code only while its flags
 * are the ones that the cache was made with. After this call it compiles each of them that is loaded.
 * @example
 * ```ts
 * import { keepHeapSmall, save } from 'drayage';
 *
 * keepHeapSmall({ savesStreams: false });
 * await save({ from: { archive }, to: empty });
 * ```
 */
export function keepHeapSmall({ savesStreams = true }: HeapOptions = {}): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=130');
  if (!savesStreams) collectLessOften();
}

/**
 * Lets buffers pile up until collections of the young generation free them, as {@link HeapOptions.savesStreams} describes
 * it. For the command line, which learns what it saves after {@link keepHeapSmall}.
 */
export function collectLessOften(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
