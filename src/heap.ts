import { setFlagsFromString } from 'node:v8';

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
 * keepHeapSmall();
 * await save({ from: { archive }, to: empty });
 * ```
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=130');
}

/**
 * Lets buffers pile up until collections of the young generation free them: the whole heap is marked a fifth as often.
 * Not for a save out of a daemon: what it sends arrives in buffers of its own, so that the peak would grow with the image.
 */
export function collectLessOften(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
