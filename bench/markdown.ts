/** Tables as text, with what was reached and where others are better. */
import type { Table } from './contender.ts';
import { type Goal, judge, median, type Metric, minimum, type Row, valuesOf } from './statistics.ts';

const DIGITS = { seconds: 2, megabytes: 1, ratio: 2 };
const UNITS: Record<Metric, string> = {
  seconds: 's',
  cpuSeconds: 's of CPU',
  serverCpuSeconds: "s of servers' CPU",
  peakMemory: 'MB at the peak',
  bytes: 'MB',
  collections: 'collections of the whole heap per GB',
};

/** The whole report, generated: `sections` in the order to print them. */
export function renderReport(sections: readonly (readonly [string, readonly Table[]])[]): string {
  const parts = sections
    .filter(([, tables]) => tables.length > 0)
    .map(
      ([name, tables]) =>
        `## ${name}\n\n\`npm run bench -- ${name}\`\n\n${tables.map(renderTable).join('\n')}`,
    );
  return `# Benchmarks\n\n${INTRODUCTION}\n${parts.join('\n')}`;
}

const INTRODUCTION = `Written by \`npm run bench\`; one section again: \`npm run bench -- SECTION\`. Whole processes, in turn (A B C A B C …); every
figure is minimum / median. CPU is user + system of all processes of a contender, servers' CPU that of daemons and
registries while it ran, memory the peak of its largest process. A goal is met when it is by the minima and by the
medians, and on the edge when only by one of them.
`;

/** One table with its goals and its losses. */
export function renderTable(table: Table): string {
  const head = ['', 'wall s', 'CPU s', "servers' CPU s", 'peak MB', 'MB', 'runs'];
  const rows = table.rows.map((row) => [
    row.failure === undefined ? row.name : `${row.name} (failed)`,
    pair(row, 'seconds'),
    pair(row, 'cpuSeconds'),
    pair(row, 'serverCpuSeconds'),
    pair(row, 'peakMemory'),
    pair(row, 'bytes'),
    String(row.runs.length),
  ]);
  return [
    `### ${table.title}`,
    `${table.about} ${table.machine}. Commit ${table.commit}.`,
    grid(head, rows),
    ...(table.goals.length === 0 ? [] : [renderGoals(table)]),
    ...list('Failed:', failures(table)),
    ...list('Where others are better (median), and what they leave out:', losses(table)),
  ]
    .join('\n\n')
    .concat('\n');
}

function renderGoals({ goals, rows }: Table): string {
  const lines = goals.map((goal) => {
    const verdict = judge(goal, rows);
    const figures =
      verdict === undefined
        ? '-'
        : [verdict.byMinimum, verdict.byMedian].map((value) => goalFigure(value, goal)).join(' / ');
    return [describeGoal(goal), figures, verdict?.met ?? 'not measured'];
  });
  return grid(['goal', 'reached', 'met'], lines);
}

/** `ours, none <= 1.25 x docker save` */
export function describeGoal(goal: Goal): string {
  const { ours, against, metric = 'seconds', atMost, plus } = goal;
  const what = metric === 'seconds' ? ours : `${ours} (${UNITS[metric]})`;
  if (against === undefined) return `${what} <= ${figure(atMost, metric)}`;
  const slack = plus === undefined ? '' : ` + ${figure(plus, metric)} ${UNITS[metric]}`;
  return `${what} <= ${Number(atMost.toFixed(DIGITS.ratio))} x ${against}${slack}`;
}

function goalFigure(value: number, { against, metric = 'seconds', plus }: Goal): string {
  if (against === undefined) return figure(value, metric);
  return plus === undefined
    ? `${value.toFixed(DIGITS.ratio)} x`
    : `+ ${figure(value, metric)} ${UNITS[metric]}`;
}

function failures({ rows }: Table): string[] {
  return rows.flatMap(({ name, failure }) => (failure === undefined ? [] : [`${name}: ${oneLine(failure)}`]));
}

/** Every contender that beats the best of ours in time, memory or bytes, with its remark. */
export function losses({ rows, ours, limits }: Table): string[] {
  const metrics = ['seconds', 'cpuSeconds', 'peakMemory', 'bytes'] as const;
  const best = (metric: Metric): number =>
    Math.min(
      ...rows.filter(({ name }) => ours.includes(name)).map((row) => medianOf(row, metric) ?? Infinity),
    );
  return rows
    .filter(({ name }) => !ours.includes(name) && !limits.includes(name))
    .flatMap((row) => {
      const better = metrics.flatMap((metric) => {
        const value = medianOf(row, metric);
        if (value === undefined || value >= best(metric)) return [];
        return [`${figure(value, metric)} against ${figure(best(metric), metric)} ${UNITS[metric]}`];
      });
      if (better.length === 0) return [];
      return [`${row.name}: ${better.join('; ')}${row.remark === undefined ? '' : ` (${row.remark})`}`];
    });
}

function medianOf(row: Row, metric: Metric): number | undefined {
  const values = row.failure === undefined ? valuesOf(row, metric) : [];
  return values.length === 0 ? undefined : median(values);
}

function pair(row: Row, metric: Metric): string {
  const values = valuesOf(row, metric);
  if (values.length === 0) return '-';
  return [minimum(values), median(values)].map((value) => figure(value, metric)).join(' / ');
}

function figure(value: number, metric: Metric): string {
  const inMegabytes = metric === 'peakMemory' || metric === 'bytes';
  return inMegabytes ? (value / 1e6).toFixed(DIGITS.megabytes) : value.toFixed(DIGITS.seconds);
}

function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [[title, '', ...items.map((item) => `- ${item}`)].join('\n')];
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}
