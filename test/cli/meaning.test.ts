import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { OF_VARIABLES, onlyMeaningful, withoutExcluded } from '../../src/cli/meaning.ts';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import { thrown } from '../oci/documents.ts';
import { drayage } from '../support/cli.ts';
import { fixtureArchive, fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEMO = fixturePath('demo.tar');
const LAYOUT = ['load', 'lay', '--to', 'oci:out'];
const ARCHIVE = ['load', 'lay', '--to', 'docker-archive:out.tar'];
const SAVE = ['save', '--from', DEMO, '-o', 'out'];
const FROM_LAYOUT = ['save', '--from', 'lay', '-o', 'out'];
const COMPLETE = ['fetch', '--complete', 'lay'];

let cwd: string;
beforeEach(async () => {
  cwd = await temporaryFolder();
});

describe('an option without a meaning is a mistake, and its variable is ignored:', () => {
  test.each<[command: string[], flag: string, value?: string]>([
    [LAYOUT, '--tag', 'x:1'],
    [LAYOUT, '--host', 'unix:///nowhere'],
    [LAYOUT, '--full'],
    [LAYOUT, '--shared'],
    [LAYOUT, '--private'],
    [LAYOUT, '--dotenv', 'file.env'],
    [LAYOUT, '--env', 'KEY'],
    [LAYOUT, '--platform', 'linux/s390x'],
    [LAYOUT, '--project', '12'],
    [LAYOUT, '--pipeline', '4711'],
    [LAYOUT, '--ref', 'main'],
    [LAYOUT, '--cache-size', '1GB'],
    [LAYOUT, '--cache-scope', 'shared'],
    [COMPLETE, '--cache-size', '1GB'],
    [ARCHIVE, '--tag', 'x:1'],
    [ARCHIVE, '--dotenv', 'file.env'],
    [SAVE, '--ref', 'main'],
    [SAVE, '--project', '12'],
    [SAVE, '--pipeline', '4711'],
    [SAVE, '--keep', '2d'],
    [SAVE, '--key', 'cosign.key'],
    [SAVE, '--keyless'],
    [SAVE, '--fulcio-url', 'https://sigstore.example'],
    [SAVE, '--rekor-url', 'https://sigstore.example'],
    [SAVE, '--tsa-url', 'https://sigstore.example'],
    [SAVE, '--public-sigstore'],
    [SAVE, '--expect', 'commit=any'],
    [SAVE, '--shared'],
    [SAVE, '--host', 'unix:///nowhere'],
    [SAVE, '--one-request'],
    [[...SAVE, '--compress', 'none'], '--level', '3'],
    [FROM_LAYOUT, '--compress', 'gzip'],
    [FROM_LAYOUT, '--level', '3'],
    [['diff', 'oci:lay:drayage-demo/api:1.0', 'oci:lay:drayage-demo/worker:1.0'], '--image', 'other:2'],
    [COMPLETE, '--out', 'elsewhere'],
  ])('%j %s', async (command, flag, value) => {
    await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, 'lay')) });
    const given = await drayage([...command, flag, ...(value === undefined ? [] : [value])], { cwd });
    expect([given.code, given.stderr]).toEqual([2, expect.stringContaining(`${flag} has no meaning with`)]);
    const name = `DRAYAGE_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`;
    const { code, stderr } = await drayage(command, { cwd, env: { [name]: value ?? '1' } });
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('no meaning')]);
  });
});

test.each([
  [['load', 'lay', '--env', 'KEY'], '--env has no meaning without --dotenv'],
  [
    ['promote', 'app:1', 'registry.example/app:1', '--attach', 'all'],
    '--attach has no meaning without a required signature',
  ],
])('%j is a mistake', async (command, message) => {
  const { code, stderr } = await drayage(command, { cwd });
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test('an argument counts more than the variable of an option that it excludes', async () => {
  const load = (args: string[], env: Record<string, string>): ReturnType<typeof drayage> =>
    drayage(['load', 'lay', ...args], { cwd, env: { DOCKER_HOST: 'unix:///nowhere', ...env } });
  await save({ from: fixtureArchive('demo.tar'), to: await Layout.create(join(cwd, 'lay')) });
  expect(await load(['--private'], { DRAYAGE_SHARED: '1' })).toMatchObject({ code: 3 });
  for (const [args, env] of [
    [['--private', '--shared'], {}],
    [[], { DRAYAGE_SHARED: '1', DRAYAGE_PRIVATE: '1' }],
  ] as const) {
    const { code, stderr } = await load([...args], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--shared and --private exclude each other')]);
  }
});

describe('options', () => {
  const options = { ref: 'main', maxSize: '1GB', [OF_VARIABLES]: new Set(['ref']) };

  test('lose what a variable sets without a meaning, and keep which ones variables set', () => {
    const kept = onlyMeaningful(options, ['ref'], 'here', 'hint');
    expect(kept).toEqual({ maxSize: '1GB', [OF_VARIABLES]: new Set(['ref']) });
    expect(options.ref).toBe('main');
  });

  test('are refused by their flag', () => {
    const { message, facts } = thrown('USAGE', () => onlyMeaningful(options, ['maxSize'], 'here', 'hint'));
    expect([message, facts.hint]).toEqual(['--max-size has no meaning here', 'hint']);
  });

  test.each([
    [['ref'], { maxSize: '1GB' }],
    [['maxSize'], { ref: 'main' }],
  ])('lose the one that a variable sets and an argument excludes: %j', (names, expected) => {
    const given = { ref: 'main', maxSize: '1GB', [OF_VARIABLES]: new Set(names) };
    const { ref, maxSize } = withoutExcluded(given, [['ref', ['maxSize']]]);
    expect({ ref, maxSize }).toEqual({ ref: undefined, maxSize: undefined, ...expected });
  });
});
