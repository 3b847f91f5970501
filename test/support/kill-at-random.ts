import { expect } from 'vitest';
import { drayage } from './cli.ts';

/** What is killed, and what must hold after that. */
export interface KillOptions {
  /** How many runs are killed at least, of each command the same number. */
  kills: number;
  cwd: string;
  env: Record<string, string>;
  /** Called before each round, so that each command has all to do again. */
  prepare: () => Promise<void>;
  /**
   * Called after each run.
   * @param isDone whether it came to its end
   * @param what for messages
   */
  afterEach: (args: readonly string[], isDone: boolean, what: string) => Promise<void>;
}

/** Numbers from 0 to 1 that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Runs commands in turn, in rounds. In the first round each is timed. In later ones each is killed at a random moment within
 * that time, and then runs to its end.
 * @returns how many runs of each command were killed
 */
export async function killAtRandom(
  commands: readonly (readonly string[])[],
  { kills, cwd, env, prepare, afterEach }: KillOptions,
): Promise<ReadonlyMap<string, number>> {
  const next = random(4711);
  const durations = new Map<readonly string[], number>();
  const killed = new Map<string, number>();
  const count = (): number => [...killed.values()].reduce((sum, one) => sum + one, 0);
  const share = Math.ceil(kills / commands.length);
  // A short command ends before its kill more often than a long one, and would get fewer.
  const isDue = (args: readonly string[]): boolean => (killed.get(args.join(' ')) ?? 0) < share;
  const run = async (args: readonly string[], delay?: number): Promise<boolean> => {
    const { code, stderr } = await drayage(args, {
      cwd,
      env,
      onStart: (child) => void (delay !== undefined && setTimeout(() => child.kill('SIGKILL'), delay)),
    });
    const line = args.join(' ');
    if (code === null) killed.set(line, (killed.get(line) ?? 0) + 1);
    else expect(code, `after kill ${count()}: ${line}: ${stderr}`).toBe(0);
    await afterEach(args, code === 0, `after kill ${count()}: ${line}`);
    return code === 0;
  };
  while (commands.some(isDue)) {
    await prepare();
    for (const args of commands) {
      const duration = durations.get(args);
      if (duration !== undefined && isDue(args) && (await run(args, duration * next()))) continue;
      const started = performance.now();
      await run(args);
      durations.set(args, duration ?? performance.now() - started);
    }
  }
  return killed;
}
