import { expect, test } from 'vitest';
import { eitherSignal, pause } from '../../src/stream/signals.ts';

test('a pause lasts as long as it is said to', async () => {
  const start = performance.now();
  await pause(30, new AbortController().signal);
  expect(performance.now() - start).toBeGreaterThan(25);
});

test('a pause ends with the reason of its signal, at once', async () => {
  const controller = new AbortController();
  const paused = pause(600_000, controller.signal);
  controller.abort('enough');
  await expect(paused).rejects.toBe('enough');
  await expect(pause(600_000, controller.signal)).rejects.toBe('enough');
});

test.each([0, 1])('either of two signals fires it, with its reason: %i', (which) => {
  const two = [new AbortController(), new AbortController()] as const;
  const either = eitherSignal(two[0].signal, two[1].signal);
  expect(either.aborted).toBe(false);
  two[which]?.abort('enough');
  expect(either.reason).toBe('enough');
});

test('one signal alone is itself', () => {
  const { signal } = new AbortController();
  expect(eitherSignal(undefined, signal)).toBe(signal);
});
