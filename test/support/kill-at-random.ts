import { expect } from 'vitest';
import { drayage } from './cli.ts';

/** What is killed, and what must hold after that. */
export interface KillOptions {
  /** How many runs are killed in all. */
  kills: number;
  cwd: string;
  env: Record<string, string>;
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

/** Runs commands in turn. The first run of each is timed; later ones are killed at random moments within that time. */
export async function killAtRandom(
  commands: readonly (readonly string[])[],
  { kills, cwd, env, afterEach }: KillOptions,
): Promise<void> {
  const next = random(4711);
  const durations = new Map<readonly string[], number>();
  let killed = 0;
  for (let run = 0; killed < kills; run++) {
    const args = commands[run % commands.length] ?? [];
    const started = performance.now();
    const duration = durations.get(args);
    const delay = (duration ?? 0) * next();
    const result = await drayage(args, {
      cwd,
      env,
      onStart: (child) => void (duration !== undefined && setTimeout(() => child.kill('SIGKILL'), delay)),
    });
    if (duration === undefined) durations.set(args, performance.now() - started);
    if (result.code === null) killed += 1;
    else expect(result.code, `${args.join(' ')}: ${result.stderr}`).toBe(0);
    await afterEach(args, result.code === 0, `after kill ${killed}: ${args.join(' ')}`);
  }
}
