/** Results: kept as figures, read as tables. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from './contender.ts';
import { kindOfMachine } from './machine.ts';
import { renderReport } from './markdown.ts';
import { SECTIONS, type SectionName } from './options.ts';

/** Tables of each section that has been run. */
export type Results = Partial<Record<SectionName, Table[]>>;

/** Puts a table among those there, in the place of an older one with its title and from the same kind of machine. */
export function mergeTable(results: Results, section: SectionName, table: Table): Results {
  const tables = results[section] ?? [];
  const isOlder = ({ title, machine }: Table): boolean =>
    title === table.title && kindOfMachine(machine) === kindOfMachine(table.machine);
  const merged = tables.some(isOlder)
    ? tables.map((old) => (isOlder(old) ? table : old))
    : [...tables, table];
  return { ...results, [section]: merged };
}

/** Writes a table into `results.json` and makes `results.md` of that file anew. */
export async function storeTable(folder: string, section: SectionName, table: Table): Promise<void> {
  const file = join(folder, 'results.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const known: Results = JSON.parse(text);
  const results = mergeTable(known, section, table);
  await writeFile(file, `${JSON.stringify(results, undefined, 1)}\n`);
  const sections = SECTIONS.map((name) => [name, results[name] ?? []] as const);
  await writeFile(join(folder, 'results.md'), renderReport(sections));
}
