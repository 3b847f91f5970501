import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { hasEnded, ownMark } from '../../src/layout/process-mark.ts';

const mark = ownMark();
const place = mark.slice(0, mark.lastIndexOf(' '));
const { pid: ended } = spawnSync(process.execPath, ['--version']);

test('a process that has ended is known by its mark', () => {
  expect(hasEnded(`${place} ${ended}`)).toBe(true);
});

test.each([
  ['this process', mark],
  ['a process of another user, or the first one', `${place} 1`],
  ['a process of another namespace', `${place}0 ${ended}`],
  ['a process of another boot', `0${place} ${ended}`],
  ['no mark', '.'],
  ['an empty file', ''],
  ['all processes of a group', `${place} 0`],
  ['a negative number', `${place} -${ended}`],
  ['more than a mark', `${place} ${ended} 1`],
])('%s is not known to have ended', (_, text) => {
  expect(hasEnded(text)).toBe(false);
});
