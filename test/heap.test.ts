import { syncBuiltinESMExports } from 'node:module';
import v8 from 'node:v8';
import { expect, test, vi } from 'vitest';
import type { HeapOptions } from '../src/index.ts';
import { keepHeapSmall } from '../src/index.ts';
import { drayage } from './support/cli.ts';
import { fixturePath } from './support/fixtures.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

/** Of each flag of V8 the value that was set last. */
type Flags = Record<string, string>;

function flagsOf(given: readonly string[]): Flags {
  return Object.fromEntries(
    given.map((flag) => flag.split('=')).map(([name = '', value = '']) => [name, value]),
  );
}

/** The flags that a program sets. */
function flagsOfProgram(options?: HeapOptions): Flags {
  const spy = vi.spyOn(v8, 'setFlagsFromString').mockImplementation(() => {});
  syncBuiltinESMExports();
  try {
    keepHeapSmall(options);
    return flagsOf(spy.mock.calls.map(([flag]) => flag));
  } finally {
    spy.mockRestore();
    syncBuiltinESMExports();
  }
}

/** The flags that a command sets. */
async function flagsOfCommand(...args: string[]): Promise<Flags> {
  const patch = `import v8 from 'node:v8';
    import { syncBuiltinESMExports } from 'node:module';
    v8.setFlagsFromString = (flag) => console.error('flag ' + flag);
    syncBuiltinESMExports();`;
  const { stderr } = await drayage(args, {
    cwd: await temporaryFolder(),
    env: {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(patch)}`,
      DOCKER_HOST: 'unix:///nowhere/docker.sock',
    },
  });
  return flagsOf([...stderr.matchAll(/^flag (.*)$/gm)].map(([, flag = '']) => flag));
}

test.each<[string, HeapOptions | undefined, string[]]>([
  ['a save out of a daemon', undefined, ['save', 'app:1']],
  ['a promotion', { savesStreams: true }, ['promote', 'app:1', '127.0.0.1:1/app:1']],
  ['a save of an archive', { savesStreams: false }, ['save', '--from', fixturePath('demo.tar')]],
  ['a load', { savesStreams: false }, ['load', 'layout']],
])('a program sets up the heap as the command line does for %s', async (_, options, args) => {
  const ofCommand = await flagsOfCommand(...args);
  expect(Object.keys(ofCommand)).toContain('--heap-growing-percent');
  expect(flagsOfProgram(options)).toEqual(ofCommand);
});

test('the heap may grow further where no stream is saved', () => {
  const [further, streams] = [flagsOfProgram({ savesStreams: false }), flagsOfProgram()];
  expect(Number(further['--heap-growing-percent'])).toBeGreaterThan(
    Number(streams['--heap-growing-percent']),
  );
});
