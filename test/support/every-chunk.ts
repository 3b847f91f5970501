import { onTestFinished, vi } from 'vitest';

/** Lets 100 ms pass between two looks at the clock, so that progress reports each chunk. */
export function everyChunkReported(): void {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
  onTestFinished(() => clock.mockRestore());
}
