import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { hasShaInstructions } from '../../bench/machine.ts';
import { measure, parseNotes } from '../../bench/measure.ts';
import { parseOptions, SECTIONS } from '../../bench/options.ts';
import { parseStat } from '../../bench/server-cpu.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('the notes of the stop-watch are user and system seconds and peak kilobytes', () => {
  expect(parseNotes('1.25 0.50 2048\n')).toEqual({ cpuSeconds: 1.75, peakMemory: 2048 * 1024 });
  expect(() => parseNotes('Command terminated by signal 9\n')).toThrow('Command terminated');
});

test('a command that takes longer than its limit has failed, with all that it started', async () => {
  const folder = await temporaryFolder();
  const alive = join(folder, 'alive');
  const command = `(while sleep 0.1; do touch ${alive}; done) | cat`;
  const { PATH = '' } = process.env;
  await expect(measure(command, { folder, env: { PATH }, limit: 0.5 })).rejects.toThrow(
    'took longer than 0.5 s',
  );
  await rm(alive, { force: true });
  await delay(500);
  await expect(stat(alive)).rejects.toThrow('ENOENT');
});

test('the CPU of a process includes that of its ended children, whatever its name is', () => {
  const fields = Array.from({ length: 50 }, (_, index) => index + 3);
  // Fields 14 to 17 of proc(5): 14 + 15 + 16 + 17 ticks of 10 ms.
  expect(parseStat(`1 (a) b) ${fields.join(' ')}`)).toBeCloseTo(0.62);
});

test.each([
  ['flags\t\t: fpu sse sha_ni avx', true],
  ['flags\t\t: fpu sse avx', false],
  ['Features\t: fp asimd sha1 sha2', true],
  ['model name\t: sha_ni', false],
])('%j: SHA instructions: %s', (cpuinfo, has) => {
  expect(hasShaInstructions(`processor\t: 0\n${cpuinfo}\nbugs\t:\n`)).toBe(has);
});

describe('options', () => {
  test('are all sections, five rounds and a place for results, when nothing is said', () => {
    expect(parseOptions([], 'results')).toEqual({
      sections: [...SECTIONS],
      rounds: 5,
      daemons: undefined,
      node24: undefined,
      quick: false,
      out: 'results',
    });
  });

  test('of a quick run are one round, and nothing is written', () => {
    const { sections, rounds, out } = parseOptions(['save', 'load', '--quick'], 'results');
    expect({ sections, rounds, out }).toEqual({ sections: ['save', 'load'], rounds: 1, out: undefined });
  });

  test.each([['speed'], ['--rounds', '0'], ['--rounds', 'many'], ['--fast']])('refuse %s %s', (...args) => {
    expect(() => parseOptions(args, 'results')).toThrow();
  });
});
