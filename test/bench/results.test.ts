import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderReport } from '../../bench/markdown.ts';
import { SECTIONS } from '../../bench/options.ts';
import type { Results } from '../../bench/report.ts';

const file = (name: string): string => readFileSync(new URL(`../../bench/${name}`, import.meta.url), 'utf8');
const results: Results = JSON.parse(file('results.json'));

test('the results have every section, all of one commit', () => {
  expect(Object.keys(results).toSorted()).toEqual(SECTIONS.toSorted());
  const commits = new Set(Object.values(results).flatMap((tables) => tables.map(({ commit }) => commit)));
  expect([...commits]).toEqual([expect.stringMatching(/^[0-9a-f]{10}$/)]);
});

test('the report is made of them', () => {
  expect(file('results.md')).toBe(renderReport(SECTIONS.map((name) => [name, results[name] ?? []] as const)));
});
