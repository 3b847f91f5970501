import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ProgressEvent } from '../../src/index.ts';
import { createProgressDisplay } from '../../src/cli/progress.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function display(isTTY: boolean, columns?: number) {
  const written: string[] = [];
  const made = createProgressDisplay({ isTTY, columns, write: (text: string) => written.push(text) });
  const read = (bytes: number): void => made.onProgress({ kind: 'bytes', direction: 'read', bytes });
  return { onProgress: made.onProgress, end: () => made.end(), written, read };
}

test('on a terminal one line is redrawn, at most ten times a second, and cleared at the end', () => {
  const { onProgress, read, end, written } = display(true);
  onProgress({ kind: 'image', name: 'app:1' });
  read(1000);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(100);
  read(1000);
  read(1000);
  expect(written).toEqual(['\r\u001B[Kdrayage: app:1: 2.0 kB read']);
  end();
  expect(written.at(-1)).toBe('\r\u001B[K');
});

test.each([
  [80, 'drayage: registry.example/group/app:1.2.3: 1.0 kB read'],
  [40, 'drayage: …/group/app:1.2.3: 1.0 kB read'],
  [20, 'drayage: 1.0 kB rea'],
])('on a terminal of %i columns the line is shorter than that', (columns, line) => {
  const { onProgress, read, written } = display(true, columns);
  onProgress({ kind: 'image', name: 'registry.example/group/app:1.2.3' });
  vi.advanceTimersByTime(100);
  read(1000);
  expect(written).toEqual([`\r\u001B[K${line}`]);
});

test('in a log there is a whole line every ten seconds, and nothing at the end', () => {
  const { read, end, written } = display(false);
  read(1000);
  vi.advanceTimersByTime(9999);
  read(1000);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(1);
  read(1000);
  end();
  expect(written).toEqual(['drayage: 3.0 kB read\n']);
});

test('bytes that were sent count where there are any', () => {
  const { onProgress, read, written } = display(false);
  read(1000);
  vi.advanceTimersByTime(10_000);
  onProgress({ kind: 'bytes', direction: 'sent', bytes: 2000 });
  expect(written).toEqual(['drayage: 2.0 kB sent\n']);
});

test('a note is a line at once', () => {
  const log = display(false);
  log.onProgress({ kind: 'note', message: 'something to know' });
  expect(log.written).toEqual(['drayage: something to know\n']);
  const terminal = display(true);
  terminal.onProgress({ kind: 'note', message: 'something to know' });
  expect(terminal.written).toEqual(['\r\u001B[Kdrayage: something to know\n']);
});

test('a note that comes again is not said again', () => {
  const { onProgress, written } = display(false);
  for (const message of ['one', 'other', 'one']) onProgress({ kind: 'note', message });
  expect(written).toEqual(['drayage: one\n', 'drayage: other\n']);
});

test('a note says what to do, where the command line can', () => {
  const { onProgress, written } = display(false);
  onProgress({ kind: 'note', message: 'the layers are zstd', reason: 'UNREAD_CODEC' });
  onProgress({ kind: 'note', message: 'app:1: 1 of it stays here', reason: 'NOT_VOUCHED' });
  expect(written).toEqual([
    'drayage: the layers are zstd; for those, save with --compress gzip\n',
    'drayage: app:1: 1 of it stays here; --attach copies it\n',
  ]);
});

test.each([
  ['daemon', 'tcp://docker:2376', 'docker at tcp://docker:2376 does not answer yet: waiting for up to 30 s'],
  ['certificates', '/certs/client', 'no certificates in /certs/client yet: waiting for up to 30 s'],
  ['lock', '/a/.b.drayage/lock', 'another process holds the lock /a/.b.drayage/lock: waiting for up to 30 s'],
] as const)('a wait for the %s is a line at once', (what, where, line) => {
  const { onProgress, written } = display(false);
  onProgress({ kind: 'waiting', what, where, seconds: 30 });
  expect(written).toEqual([`drayage: ${line}\n`]);
});

const start = { kind: 'start', images: 1, layers: 2, size: 66_000_000 } as const;
const bytes = (read: number, digest?: string): ProgressEvent => ({
  kind: 'bytes',
  direction: 'read',
  bytes: read,
  digest,
});
const layer = (digest: string, size: number): ProgressEvent => ({
  kind: 'layer',
  digest,
  size,
  status: 'written',
});
const name = { kind: 'image', name: 'registry.example/group/app:1.2.3' } as const;

describe('where it is known how much there is', () => {
  test.each<[string, ProgressEvent[], string, string]>([
    [
      'the line says so, within a blob too',
      [start, bytes(12_000_000, 'a')],
      'registry.example/group/app:1.2.3: 12 MB of 66 MB',
      '…oup/app:1.2.3: 12 MB of 66 MB',
    ],
    [
      'a blob that was found in place counts as one that moved',
      [start, layer('b', 50_000_000), bytes(12_000_000, 'a')],
      'registry.example/group/app:1.2.3: 62 MB of 66 MB',
      '…oup/app:1.2.3: 62 MB of 66 MB',
    ],
    [
      'what is done is not counted twice, nor beyond the whole',
      [start, bytes(60_000_000, 'a'), layer('a', 60_000_000), bytes(60_000_000, 'b')],
      'registry.example/group/app:1.2.3: 66 MB of 66 MB',
      '…oup/app:1.2.3: 66 MB of 66 MB',
    ],
    [
      'of a stream, the blobs are counted',
      [start, layer('a', 60_000_000), bytes(12_000_000)],
      'registry.example/group/app:1.2.3: 12 MB read, 1 of 2 blobs',
      '…2.3: 12 MB read, 1 of 2 blobs',
    ],
    [
      'of blobs without sizes, too',
      [{ ...start, size: null }, layer('a', 60_000_000), bytes(12_000_000, 'b')],
      'registry.example/group/app:1.2.3: 12 MB read, 1 of 2 blobs',
      '…2.3: 12 MB read, 1 of 2 blobs',
    ],
    [
      'another start begins again',
      [start, layer('a', 60_000_000), { ...start, size: 1_000_000 }, bytes(500_000, 'a')],
      'registry.example/group/app:1.2.3: 500 kB of 1.0 MB',
      '…p/app:1.2.3: 500 kB of 1.0 MB',
    ],
    [
      'no total is made up',
      [{ kind: 'start', images: 1, layers: null, size: null }, bytes(500_000)],
      'registry.example/group/app:1.2.3: 500 kB read',
      '…/group/app:1.2.3: 500 kB read',
    ],
  ])('%s: at 80 columns, at 40, and in a log', (_, events, wide, narrow) => {
    for (const [made, line] of [
      [display(true, 80), `\r\u001B[Kdrayage: ${wide}`],
      [display(true, 40), `\r\u001B[Kdrayage: ${narrow}`],
      [display(false), `drayage: ${wide}\n`],
    ] as const) {
      made.onProgress(name);
      for (const event of events.slice(0, -1)) made.onProgress(event);
      vi.advanceTimersByTime(10_000);
      made.onProgress(events.at(-1) ?? start);
      expect(made.written.at(-1)).toBe(line);
    }
  });
});
