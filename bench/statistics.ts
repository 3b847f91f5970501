/** Figures out of runs: minimum, median, ratios, and whether a goal is met. */

/** What one run of one contender cost. */
export interface Run {
  seconds: number;
  cpuSeconds: number;
  /** CPU of the daemons and servers that it used, which belongs to none of its processes. */
  serverCpuSeconds?: number;
  peakMemory: number;
  /** Bytes stored, or sent: the table says which. */
  bytes?: number;
  /** How often V8 marked the whole heap, for each GB of input. */
  collections?: number;
}

export type Metric = keyof Run;

/** One contender and all its runs; one that failed has the reason and whatever runs it had before. */
export interface Row {
  name: string;
  /** What it does not do, or when it is the better choice. */
  remark?: string;
  runs: Run[];
  failure?: string;
}

/** `ours` is at most `atMost` times `against` (plus `plus`), or without `against` at most `atMost`. */
export interface Goal {
  ours: string;
  against?: string;
  /** Default: seconds. */
  metric?: Metric;
  atMost: number;
  plus?: number;
}

/** What became of a goal: `edge` is met by minimum or median, but not by both. */
export interface Verdict {
  /**
   * By the minima and by the medians: ratios; for a goal with `plus` what is on top of the multiple; for one without
   * `against` the plain figures.
   */
  byMinimum: number;
  byMedian: number;
  met: 'yes' | 'no' | 'edge';
}

/** @throws {RangeError} When there are no values. */
export function minimum(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  return Math.min(...values);
}

/**
 * The middle value, or the mean of the two.
 * @throws {RangeError} When there are no values.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError('no values');
  return (low + high) / 2;
}

/** The known values of a metric. */
export function valuesOf({ runs }: Row, metric: Metric): number[] {
  return runs.map((run) => run[metric]).filter((value) => value !== undefined);
}

/** Judges a goal, or gives `undefined` when one of its contenders has no figures. */
export function judge(goal: Goal, rows: readonly Row[]): Verdict | undefined {
  const { metric = 'seconds', atMost, plus = 0 } = goal;
  const find = (name: string): number[] => {
    const row = rows.find((candidate) => candidate.name === name);
    return row === undefined || row.failure !== undefined ? [] : valuesOf(row, metric);
  };
  const ours = find(goal.ours);
  const others = goal.against === undefined ? [1] : find(goal.against);
  if (ours.length === 0 || others.length === 0) return undefined;
  const met = [minimum, median].map((of) => of(ours) <= of(others) * atMost + plus);
  const reached = (of: typeof median): number =>
    goal.plus === undefined ? of(ours) / of(others) : of(ours) - of(others) * atMost;
  return {
    byMinimum: reached(minimum),
    byMedian: reached(median),
    met: met.every(Boolean) ? 'yes' : met.some(Boolean) ? 'edge' : 'no',
  };
}
