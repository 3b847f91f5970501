import { expect, test } from 'vitest';
import { formatHtml } from '../../src/cli/html.ts';
import {
  formatJson,
  formatLine,
  printJson,
  printLine,
  printMessage,
  printStack,
} from '../../src/cli/output.ts';
import { createProgressDisplay } from '../../src/cli/progress.ts';
import type { InspectResult } from '../../src/index.ts';
import { isPrintable } from '../../src/text/printable.ts';

/** A title, a cleared screen, a C1 sequence, text in the other direction, a section of a job's log, and a password. */
const HOSTILE =
  '\u001B]0;x\u0007\u001B[2J\u009B31m\u202Eevil\u202C\u2066\r\nsection_start:1:x\r\u001B[0K https://user:secret@host/';

/** What the ways out of text write. */
function written(write: (output: { write(text: string): unknown; isTTY: boolean }) => void, isTTY = false) {
  const lines: string[] = [];
  write({ isTTY, write: (text: string) => lines.push(text) });
  return lines;
}

function error(): Error {
  const made = new Error(HOSTILE);
  made.name = HOSTILE;
  return made;
}

test.each([
  ['a line', () => written((output) => printLine(output, HOSTILE))],
  ['a document', () => written((output) => printJson(output, { [HOSTILE.slice(0, 40)]: [HOSTILE] }))],
  ['a stack', () => written((output) => printStack(output, error()))],
  [
    'a note in a log',
    () => written((output) => createProgressDisplay(output).onProgress({ kind: 'note', message: HOSTILE })),
  ],
])('%s has neither unseen characters nor a password', (_way, lines) => {
  const text = lines().join('');
  expect(text.endsWith('\n')).toBe(true);
  expect(isPrintable(text.replaceAll('\n', ''))).toBe(true);
  expect(text).toContain('evil');
  expect(text).not.toContain('secret');
});

test('on a terminal only our own sequence is obeyed', () => {
  const [line = ''] = written(
    (output) => createProgressDisplay(output).onProgress({ kind: 'note', message: HOSTILE }),
    true,
  );
  expect(line.startsWith('\r\u001B[K')).toBe(true);
  expect(isPrintable(line.slice(4, -1))).toBe(true);
});

test('the message of an error with its stack is one line', () => {
  const lines = written((output) => printStack(output, error()));
  expect(lines[0]).toContain('section_start');
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.slice(1).every((line) => /^ {4}at /.test(line))).toBe(true);
});

test('a document means the same, but for passwords', () => {
  const value = { a: 'é\u009B', b: ['https://host/'], c: 1, d: null };
  expect(JSON.parse(formatJson(value))).toEqual(value);
  expect(formatJson({ url: 'https://user:a"b@host' })).toBe('{"url":"https://host"}');
  expect(formatJson({ labels: { 'https://user:a@host': 'x' } })).toBe('{"labels":{"https://host":"x"}}');
});

/** A label, and what a proxy says: only the place tells them apart. */
const BARE = 'name:word@host';

test('a host without a scheme has no credentials in a message', () => {
  const note = { kind: 'note', message: `refused by ${BARE}` } as const;
  expect(written((output) => createProgressDisplay(output).onProgress(note))).toEqual([
    'drayage: refused by host\n',
  ]);
  expect(written((output) => printMessage(output, `refused by ${BARE}`))).toEqual(['refused by host\n']);
  const [first] = written((output) => printStack(output, new Error(`refused by ${BARE}`)));
  expect(first).toBe('Error: refused by host\n');
});

test('data stays as it is: labels, annotations, lines of a result', () => {
  const labels = { maintainer: 'mailto:me@example.com', [BARE]: BARE, list: '["a:b","c@d"]' };
  expect(JSON.parse(formatJson({ labels }))).toEqual({ labels });
  expect(written((output) => printLine(output, `label ${BARE}`))).toEqual([`label ${BARE}\n`]);
});

test('a line stays as it is if nothing in it is unseen', () => {
  expect(formatLine('app:1 → größer')).toBe('app:1 → größer');
});

test('a page has neither unseen characters nor a password, and no markup of an image', () => {
  const hostile = `"><script>alert(1)</script>'${HOSTILE}`;
  const image = {
    names: [hostile],
    platform: hostile,
    id: hostile,
    digest: hostile,
    ref: hostile,
    created: hostile,
    size: 1,
    annotations: { [hostile]: hostile },
    layers: [{ digest: hostile, size: 1, createdBy: hostile, sharedBy: 1 }],
    omitted: [
      { where: hostile, until: hostile, job: { server: hostile, path: hostile }, layers: 1, bytes: 1 },
    ],
  };
  const page = formatHtml(
    { images: [image], bytes: { stored: 1, unshared: 1 } } as unknown as InspectResult,
    [hostile],
  );
  expect(isPrintable(page.replaceAll('\n', ''))).toBe(true);
  expect(page).not.toMatch(/<script|secret/);
});
