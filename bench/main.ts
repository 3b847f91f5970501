/** `npm run bench`: see options.ts for what may be said. */
import { fileURLToPath } from 'node:url';
import { makeTempFolder, removeTempFolder } from '../test/system/support/temp-folders.ts';
import type { Race } from './contender.ts';
import type { Shelf } from './images.ts';
import { type Lab, openLab } from './lab.ts';
import { renderTable } from './markdown.ts';
import { findNodes } from './nodes.ts';
import { parseOptions, type SectionName, USAGE } from './options.ts';
import { runRace } from './race.ts';
import { storeTable } from './report.ts';
import { adoptRaces } from './sections/adopt.ts';
import { baseJobRaces } from './sections/basejob.ts';
import { deltaRaces } from './sections/delta.ts';
import { endToEndRaces } from './sections/endtoend.ts';
import { growthRaces } from './sections/growth.ts';
import { loadRaces } from './sections/load.ts';
import { pipelineRaces } from './sections/pipeline.ts';
import { promoteRaces } from './sections/promote.ts';
import { saveRaces } from './sections/save.ts';
import { stickyRaces } from './sections/sticky.ts';
import { thinRaces } from './sections/thin.ts';

/**
 * Each makes its races one after the other, so that only what a race needs is running. The archives of each kind of daemon
 * stay on disk until the end: over 1 GB a kind, with compressed copies.
 */
const RACES: Record<SectionName, (lab: Lab) => Promise<(() => Promise<Race>)[]>> = {
  pipeline: pipelineRaces,
  save: saveRaces,
  load: loadRaces,
  endtoend: endToEndRaces,
  thin: thinRaces,
  delta: deltaRaces,
  growth: growthRaces,
  promote: promoteRaces,
  adopt: adoptRaces,
  basejob: baseJobRaces,
  sticky: stickyRaces,
};

/** Runs the sections; a section that cannot be set up is told and does not stop the others. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(args, fileURLToPath(new URL('./', import.meta.url)));
  await using nodes = await findNodes(options.node24);
  await using shelf = await makeShelf();
  let failed = 0;
  for (const section of options.sections) {
    await using lab = await openLab(options, nodes, { signal, shelf });
    try {
      for (const makeRace of await RACES[section](lab)) {
        const race = await makeRace();
        const table = await runRace(race, lab);
        await race.close?.();
        failed += table.rows.filter(({ failure }) => failure !== undefined).length;
        console.log(renderTable(table));
        if (options.out !== undefined) await storeTable(options.out, section, table);
      }
    } catch (error) {
      signal.throwIfAborted();
      failed += 1;
      console.error(`${section}: stopped:`, error);
    }
  }
  return failed;
}

async function makeShelf(): Promise<Shelf & AsyncDisposable> {
  const folder = await makeTempFolder();
  return { folder, archives: new Map(), [Symbol.asyncDispose]: async () => removeTempFolder(folder) };
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stop.abort(new Error(`interrupted by ${name}; what was finished is written`)));
}
if (process.argv.includes('--help')) {
  console.log(USAGE);
} else {
  try {
    process.exitCode = (await main(process.argv.slice(2), stop.signal)) === 0 ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = stop.signal.aborted ? 130 : 2;
  }
}
