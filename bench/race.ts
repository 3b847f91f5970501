/** Runs contenders round by round: A B C, A B C, … so that whatever else the machine does meets all of them. */
import { spawnSync } from 'node:child_process';
import type { Contender, Race, Table } from './contender.ts';
import type { Lab } from './lab.ts';
import { measure } from './measure.ts';
import type { Row, Run } from './statistics.ts';

/** Seconds that a contender may take: many times what any of them needs, so that one that hangs does not end the run. */
const LIMIT = 300;

/**
 * Runs a race to its end. A contender that fails is out, with the reason in its row; the others go on.
 * @throws The lab's signal's reason.
 */
export async function runRace(race: Race, lab: Lab): Promise<Table> {
  const rows = race.contenders.map(({ name, remark }): Row => ({ name, remark, runs: [] }));
  const rounds = race.rounds ?? lab.options.rounds;
  for (let round = 1; round <= rounds; round++) {
    for (const [index, contender] of race.contenders.entries()) {
      const row = rows[index];
      if (row === undefined || row.failure !== undefined) continue;
      lab.say(`${race.title}: round ${round}/${rounds}: ${contender.name}`);
      try {
        const run = await runOnce(contender, race, lab);
        row.runs.push(run);
        lab.say(`    ${run.seconds.toFixed(2)} s, CPU ${run.cpuSeconds.toFixed(2)} s`);
      } catch (error) {
        lab.signal.throwIfAborted();
        row.failure = error instanceof Error ? error.message : String(error);
        lab.say(`    failed: ${row.failure}`);
      }
    }
  }
  const { title, about, goals, contenders } = race;
  const names = (which: 'ours' | 'limit'): string[] =>
    contenders.filter((contender) => contender[which]).map(({ name }) => name);
  const [ours, limits] = [names('ours'), names('limit')];
  const [machine, commit] = [lab.machine(), lab.commit()];
  return { title, about, machine, commit, ours, limits, rows, goals: [...goals] };
}

async function runOnce(contender: Contender, { serverCpu, limit = LIMIT }: Race, lab: Lab): Promise<Run> {
  await contender.before?.();
  // What the one before has left to be written is not this one's burden.
  spawnSync('sync');
  lab.signal.throwIfAborted();
  const serverBefore = serverCpu?.();
  const { folder, env, signal } = lab;
  const { stdout, ...cost } = await measure(contender.command, {
    folder,
    env,
    signal,
    input: contender.input?.(),
    limit,
  });
  const serverAfter = serverCpu?.();
  return {
    ...cost,
    serverCpuSeconds:
      serverBefore === undefined || serverAfter === undefined ? undefined : serverAfter - serverBefore,
    bytes: await contender.bytes?.(stdout),
    ...(contender.collections && { collections: contender.collections(stdout) }),
  };
}
