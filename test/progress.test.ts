import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ProgressEvent } from '../src/progress.ts';
import { pace, paced, startLayers } from '../src/progress.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function recorder() {
  const events: ProgressEvent[] = [];
  const { onProgress, flush } = pace((event) => events.push(event));
  const read = (bytes: number, digest?: string): void =>
    onProgress({ kind: 'bytes', direction: 'read', bytes, digest });
  return { events, onProgress, flush, read };
}

const bytes = (count: number, digest?: string) => ({
  kind: 'bytes',
  direction: 'read',
  bytes: count,
  digest,
});

test('bytes are reported at once, then at most ten times a second, and none is lost', () => {
  const { events, read, flush } = recorder();
  for (const size of [1, 2, 3]) read(size);
  expect(events).toEqual([bytes(1)]);
  vi.advanceTimersByTime(100);
  read(4);
  read(5);
  expect(events).toEqual([bytes(1), bytes(9)]);
  flush();
  flush();
  expect(events).toEqual([bytes(1), bytes(9), bytes(5)]);
});

test('bytes of each blob are added up for themselves', () => {
  const { events, read, flush } = recorder();
  for (const digest of ['a', 'b', 'a', 'b']) read(1, digest);
  expect(events).toEqual([bytes(1, 'a'), bytes(1, 'b')]);
  flush();
  expect(events.slice(2)).toEqual([bytes(1, 'a'), bytes(1, 'b')]);
});

test('bytes come before the event that they precede', () => {
  const { events, read, onProgress } = recorder();
  read(1);
  read(2);
  onProgress({ kind: 'image', name: 'app:1' });
  expect(events).toEqual([bytes(1), bytes(2), { kind: 'image', name: 'app:1' }]);
});

test('a phase is reported when it changes', () => {
  const { events, onProgress } = recorder();
  for (const phase of ['reading', 'reading', 'verifying', 'reading'] as const)
    onProgress({ kind: 'phase', phase });
  expect(events.map((event) => event.kind === 'phase' && event.phase)).toEqual([
    'reading',
    'verifying',
    'reading',
  ]);
});

test('a phase is reported again after another start', () => {
  const { events, onProgress } = recorder();
  for (const images of [1, 2]) {
    onProgress({ kind: 'start', images, layers: null, size: null });
    onProgress({ kind: 'phase', phase: 'verifying' });
  }
  expect(events.map(({ kind }) => kind)).toEqual(['start', 'phase', 'start', 'phase']);
});

test('a verb that fails reports its last bytes', async () => {
  const events: ProgressEvent[] = [];
  const failing = paced({ onProgress: (event) => events.push(event) }, async ({ onProgress }) => {
    for (const size of [1, 2]) onProgress({ kind: 'bytes', direction: 'sent', bytes: size });
    throw new Error('cut off');
  });
  await expect(failing).rejects.toThrow('cut off');
  expect(events).toHaveLength(2);
});

test('the layers that are reported add up to the start, however often they are done', () => {
  const events: ProgressEvent[] = [];
  const [a, b] = [
    { digest: 'a', size: 1 },
    { digest: 'b', size: 10 },
  ];
  const tell = startLayers((event) => events.push(event), 2, [[a, b, a], [a]]);
  expect(events).toEqual([{ kind: 'start', images: 2, layers: 3, size: 12 }]);
  for (const blob of [a, a, a, b, b, { digest: 'signature', size: 5 }]) tell(blob, 'written');
  expect(events.flatMap((event) => (event.kind === 'layer' ? [event.digest] : []))).toEqual(['a', 'a', 'b']);
});
