import { describe, expect, test } from 'vitest';
import type { Table } from '../../bench/contender.ts';
import { describeGoal, losses, renderReport, renderTable } from '../../bench/markdown.ts';
import { mergeTable } from '../../bench/report.ts';
import type { Run } from '../../bench/statistics.ts';

function runs(...seconds: number[]): Run[] {
  return seconds.map((value) => ({ seconds: value, cpuSeconds: 1, peakMemory: 100e6, bytes: 50e6 }));
}

const TABLE: Table = {
  title: 'a race',
  about: 'What it is.',
  machine: 'a machine',
  commit: '0123456789',
  ours: ['ours'],
  limits: ['limit'],
  rows: [
    { name: 'limit', runs: runs(0.5) },
    { name: 'a | b', runs: runs(1, 2, 9), remark: 'checks nothing' },
    { name: 'slow', runs: runs(20) },
    { name: 'broken', runs: [], failure: 'ended with 1:\n  no such file' },
    { name: 'ours', runs: runs(3, 4, 5) },
  ],
  goals: [
    { ours: 'ours', against: 'slow', atMost: 0.5 },
    { ours: 'ours', against: 'broken', atMost: 0.5 },
    { ours: 'ours', metric: 'peakMemory', atMost: 128e6 },
  ],
};

describe('a table', () => {
  const text = renderTable(TABLE);

  test('has minimum and median of every contender', () => {
    expect(text).toContain(
      String.raw`| a \| b | 1.00 / 2.00 | 1.00 / 1.00 | - | 100.0 / 100.0 | 50.0 / 50.0 | 3 |`,
    );
  });

  test('says whether goals are met, beside what was reached', () => {
    expect(text).toContain('| ours <= 0.5 x slow | 0.15 x / 0.20 x | yes |');
    expect(text).toContain('| ours <= 0.5 x broken | - | not measured |');
    expect(text).toContain('| ours (MB at the peak) <= 128.0 | 100.0 / 100.0 | yes |');
  });

  test('keeps a contender that failed, with the reason', () => {
    expect(text).toContain('| broken (failed) | - |');
    expect(text).toContain('- broken: ended with 1: no such file');
  });

  test('tells who is better than the best of ours, and what is left out for it; no limits', () => {
    expect(losses(TABLE)).toEqual(['a | b: 2.00 against 4.00 s (checks nothing)']);
    expect(text).toContain('- a | b: 2.00 against 4.00 s (checks nothing)');
  });
});

test('a goal with an allowance says so', () => {
  expect(describeGoal({ ours: 'ours', against: 'other', atMost: 1, plus: 0.4 })).toBe(
    'ours <= 1 x other + 0.40 s',
  );
  expect(describeGoal({ ours: 'ours', against: 'other', atMost: 3 * 1.2 })).toBe('ours <= 3.6 x other');
});

describe('results', () => {
  const other = { ...TABLE, title: 'another race' };

  test('keep the tables of other races and of other sections', () => {
    const results = mergeTable({ save: [TABLE, other], load: [TABLE] }, 'save', { ...TABLE, about: 'New.' });
    expect(results).toEqual({ save: [{ ...TABLE, about: 'New.' }, other], load: [TABLE] });
  });

  test('take a table that is new', () => {
    expect(mergeTable({ save: [TABLE] }, 'save', other)).toEqual({ save: [TABLE, other] });
    const elsewhere = { ...TABLE, machine: '2 vCPU, SHA instructions, Linux 6' };
    expect(mergeTable({ save: [TABLE] }, 'save', elsewhere)).toEqual({ save: [TABLE, elsewhere] });
    const later = { ...elsewhere, machine: '2 vCPU, SHA instructions, Linux 7' };
    expect(mergeTable({ save: [elsewhere] }, 'save', later)).toEqual({ save: [later] });
    expect(mergeTable({}, 'save', other)).toEqual({ save: [other] });
  });

  test('are printed by section, each with how to run it again', () => {
    const text = renderReport([
      ['pipeline', []],
      ['save', [TABLE, other]],
    ]);
    expect(text).toMatch(/## save\n\n`npm run bench -- save`\n\n### a race[^]*### another race/);
    expect(text).not.toContain('## pipeline');
  });
});
