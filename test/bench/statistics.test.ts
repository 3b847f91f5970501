import { describe, expect, test } from 'vitest';
import { type Goal, judge, median, minimum, type Row } from '../../bench/statistics.ts';

function row(name: string, seconds: number[], rest: Partial<Row> = {}): Row {
  const runs = seconds.map((value) => ({ seconds: value, cpuSeconds: value, peakMemory: value * 1e6 }));
  return { name, runs, ...rest };
}

function goal(rest: Partial<Goal>): Goal {
  return { ours: 'ours', against: 'other', atMost: 1, ...rest };
}

describe('minimum and median', () => {
  test.each([
    { values: [3], least: 3, middle: 3 },
    { values: [10, 9, 100], least: 9, middle: 10 },
    { values: [4, 1, 2, 3], least: 1, middle: 2.5 },
  ])('of $values are $least and $middle', ({ values, least, middle }) => {
    expect([minimum(values), median(values)]).toEqual([least, middle]);
  });

  test('of nothing are an error', () => {
    expect(() => minimum([])).toThrow(RangeError);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('judge', () => {
  const rows = [row('ours', [2, 3, 5]), row('other', [4, 5, 6]), row('broken', [1], { failure: 'gone' })];

  test.each([
    { atMost: 0.6, met: 'yes' },
    { atMost: 0.55, met: 'edge' },
    { atMost: 0.4, met: 'no' },
  ])('of 2/3 s against 4/5 s says $met to $atMost', ({ atMost, met }) => {
    expect(judge(goal({ atMost }), rows)).toEqual({ byMinimum: 0.5, byMedian: 0.6, met });
  });

  test('allows what comes on top, and says how much is there', () => {
    const [least, most] = [goal({ atMost: 0.25, plus: 1 }), goal({ atMost: 0.25, plus: 1.75 })];
    expect(judge(least, rows)).toEqual({ byMinimum: 1, byMedian: 1.75, met: 'edge' });
    expect(judge(most, rows)?.met).toBe('yes');
  });

  test('takes a plain limit of another metric', () => {
    const limit: Goal = { ours: 'ours', metric: 'peakMemory', atMost: 3e6 };
    expect(judge(limit, rows)).toEqual({ byMinimum: 2e6, byMedian: 3e6, met: 'yes' });
  });

  test.each(['broken', 'nobody'])('says nothing of a contender without figures: %s', (name) => {
    expect(judge(goal({ ours: name }), rows)).toBeUndefined();
    expect(judge(goal({ against: name }), rows)).toBeUndefined();
  });

  test('says nothing where a metric was not taken', () => {
    expect(judge(goal({ metric: 'bytes' }), rows)).toBeUndefined();
  });
});
