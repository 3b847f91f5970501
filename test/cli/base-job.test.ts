import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { FetchResult, InspectResult, SaveResult, VerifyResult } from '../../src/index.ts';
import { makeCargo } from '../docker/cargo.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { JobChain } from '../support/job-chain.ts';
import { listFiles } from '../support/list-files.ts';
import { writeCargo } from '../support/write-cargo.ts';
import { zip } from '../support/zip-bytes.ts';

/** One image for each pipeline: every one changes the last layer, or adds one. */
const RUNS = [
  makeCargo({ layers: ['base', 'one'] }),
  makeCargo({ layers: ['base', 'one', 'two'] }),
  makeCargo({ layers: ['base', 'one', 'two', 'three'] }),
];
const FIRST = makeCargo({ layers: ['base', 'one'] });
const FAR = '2999-01-01T00:00:00.000Z';

let chain: JobChain;
beforeEach(async () => {
  chain = await JobChain.start();
});

const statuses = ({ images }: SaveResult): string[] | undefined =>
  images[0]?.layers.map(({ status }) => status);

describe('save --base-job', () => {
  test('omits what the artifact of the latest pipeline of the default branch has, and says so', async () => {
    await chain.pipeline('1', FIRST);
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).toMatch(
      /app:1: 2 of 3 layers \(.*\) are omitted: job 1 of project 12 has them until 2999-01-01/,
    );
  });

  test('reads only documents of that artifact', async () => {
    await chain.pipeline('1', FIRST);
    chain.gitlab.seen.splice(0);
    await chain.pipeline('2', RUNS[1] ?? expect.fail());
    const blobs = FIRST.layers.reduce((sum, { size }) => sum + size, 0);
    expect(blobs).toBeGreaterThan(0);
    expect(chain.gitlab.sent).toBeLessThan(16 * 1024);
  });

  test('tries several branches in order, and passes over one that has no such job', async () => {
    await chain.pipeline('1', FIRST);
    chain.gitlab.faults.api = ({ url }, response) => {
      if (!url?.includes('/artifacts/feature/')) return 'pass';
      response.writeHead(404).end('{}');
      return undefined;
    };
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail(), [
      '--base-job=build',
      '--ref=feature',
      '--ref=main',
    ]);
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).toContain('base job build of feature is not used');
  });

  test('passes over a branch that the pipeline does not have, without a question', async () => {
    await chain.pipeline('1', FIRST);
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail(), [
      '--base-job=build',
      '--ref=',
      '--ref=main',
    ]);
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).not.toContain('is not used');
  });

  test('omits a layer above one that changed', async () => {
    await chain.pipeline('1', RUNS[1] ?? expect.fail());
    const changed = makeCargo({ layers: ['base', 'other', 'two'] });
    expect(statuses(await chain.pipeline('2', changed))).toEqual(['omitted', 'written', 'omitted']);
    expect(await chain.archive('2')).toMatchObject({ code: 0 });
    expect(await chain.run('2', 'verify', '--job', 'build')).toMatchObject({ code: 2 });
  });

  test('does not use one that expires before the layout is needed no more', async () => {
    const soon = new Date(Date.now() + 3600 * 1000).toISOString();
    await chain.pipeline('1', FIRST, ['--base-job', 'build'], soon);
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['written', 'written', 'written']);
    expect(second.stderr).toContain(`is not used: GitLab may delete its artifact from ${soon} on`);
    chain.jobs.shift();
    const again = await chain.pipeline('3', RUNS[1] ?? expect.fail(), ['--base-job=build', '--keep=5m']);
    expect(statuses(again)).toEqual(['omitted', 'omitted', 'written']);
  });

  test('uses one that has expired and is kept all the same only where --keep asks for no time', async () => {
    const past = new Date(Date.now() - 3600 * 1000).toISOString();
    await chain.pipeline('1', FIRST, ['--base-job', 'build'], past);
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['written', 'written', 'written']);
    chain.jobs.shift();
    const again = await chain.pipeline('3', RUNS[1] ?? expect.fail(), ['--base-job=build', '--keep=0m']);
    expect(statuses(again)).toEqual(['omitted', 'omitted', 'written']);
  });

  describe('does not use what that omits itself where the recorded artifact expires earlier', () => {
    const soon = new Date(Date.now() + 3600 * 1000).toISOString();
    const ALL = makeCargo({ layers: ['base', 'one', 'two', 'three', 'four'] });
    beforeEach(async () => {
      await chain.pipeline('1', FIRST, ['--base-job', 'build'], soon);
      await chain.pipeline('2', RUNS[1] ?? expect.fail(), ['--base-job=build', '--keep=5m']);
    });

    test('but stores it again, for the pipelines after it', async () => {
      const third = await chain.pipeline('3', RUNS[2] ?? expect.fail());
      expect(statuses(third)).toEqual(['written', 'written', 'omitted', 'written']);
      const why = `base job 1 of project 12 is not used: its artifact may be deleted from ${soon} on`;
      expect(third.stderr.split(why)).toHaveLength(2);
      expect(third.stderr).toContain('--keep says how long this one is needed');
      const fourth = await chain.pipeline('4', ALL);
      expect(statuses(fourth)).toEqual(['omitted', 'omitted', 'omitted', 'omitted', 'written']);
      expect(fourth.stderr).not.toContain('is not used');
      chain.refuse('1', 404);
      expect(await chain.archive('4')).toMatchObject({ code: 0 });
    });

    test.each(['--keep=5m', '--keep=0m'])('unless %s says that it lives long enough', async (keep) => {
      const third = await chain.pipeline('3', RUNS[2] ?? expect.fail(), ['--base-job=build', keep]);
      expect(statuses(third)).toEqual(['omitted', 'omitted', 'omitted', 'written']);
      expect(third.stderr).not.toContain('is not used');
    });

    test('and takes it from a base that is named after it and has it for longer', async () => {
      await chain.build(FIRST);
      await chain.save('9', '--from', 'built', '--base-job=none');
      await chain.ship('9');
      const other = chain.jobs.shift() ?? expect.fail();
      chain.jobs.push({ ...other, name: 'other' });
      const args = ['--base-job=build', '--base-job=other'];
      const third = await chain.pipeline('3', RUNS[2] ?? expect.fail(), args);
      expect(statuses(third)).toEqual(['omitted', 'omitted', 'omitted', 'written']);
      expect(third.stderr).toContain('job 9 of project 12 has them until 2999-01-01');
    });
  });

  test('uses one that never expires, and says nothing of that', async () => {
    await chain.pipeline('1', FIRST);
    delete chain.jobs[0]?.expireAt;
    const second = await chain.pipeline('2', RUNS[1] ?? expect.fail());
    expect(statuses(second)).toEqual(['omitted', 'omitted', 'written']);
    expect(second.stderr).not.toContain('does not say');
    expect(second.stderr).toMatch(/are omitted: .* has them, in \.drayage\/1 at /);
  });

  test('says that nobody tells until when it is kept', async () => {
    chain.gitlab.options.describes = false;
    await chain.pipeline('1', FIRST);
    const { stderr } = await chain.pipeline('2', RUNS[1] ?? expect.fail());
    expect(stderr).toContain('GitLab does not say until when its artifact is kept');
  });

  test.each([
    [['--ref', 'main'], '--ref has no meaning without a base job'],
    [['--base-job', 'build', '--pipeline', 'x'], 'not a pipeline ID: x'],
    [['--base-job', 'build', '--base-job', 'none'], '--base-job none beside another one'],
    [['--base-job', 'build', '--keep', 'long'], 'not a time: "long"'],
  ])('refuses %j', async (args, message) => {
    await chain.build(FIRST);
    const { code, stderr } = await chain.run('1', 'save', '--from', 'built', ...args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(await readdir(chain.cwd)).toEqual(['built']);
  });
});

test('pipelines in a row record each layer where it is, never two hops away', async () => {
  for (const [i, cargo] of RUNS.entries()) await chain.pipeline(String(i + 1), cargo);
  const { code, stderr } = await chain.archive('3');
  expect(stderr).toContain('omitted layers are read from its base job 1 of project 12');
  expect(stderr).toContain('omitted layers are read from its base job 2 of project 12');
  expect(code).toBe(0);
  const back = await drayageJson<SaveResult>(['save', '--from', 'app.tar', '-o', 'back'], { cwd: chain.cwd });
  expect(back.images[0]?.id).toBe(RUNS[2]?.configDigest);
});

describe('a layout whose base is a job', () => {
  beforeEach(async () => {
    await chain.pipeline('1', FIRST);
    await chain.pipeline('2', RUNS[1] ?? expect.fail());
  });

  test.each([404, 410])('ends with 3 and names the job where its artifact is gone (%i)', async (status) => {
    chain.refuse('1', status);
    const { code, stderr } = await chain.archive('2');
    expect(code).toBe(3);
    expect(stderr).toContain('cannot be read from its base job 1 of project 12');
    expect(stderr).toContain('--base-job none');
    expect(await readdir(chain.cwd)).not.toContain('app.tar');
  });

  test('names the setting on which a refusal depends', async () => {
    chain.refuse('1', 403);
    const { code, stderr } = await chain.archive('2');
    expect(code).toBe(1);
    expect(stderr).toContain('allowlist');
  });

  test.each([
    [404, 3, '--base-job none'],
    [410, 3, '--base-job none'],
    [403, 1, 'allowlist'],
  ])(
    'asks a run that was retried once (%i), and does not take a later run in its place',
    async (status, expected, way) => {
      const [, first] = chain.jobs;
      chain.jobs.unshift({ ...(first ?? expect.fail()), id: 3 });
      chain.refuse('1', status);
      chain.gitlab.seen.splice(0);
      const { code, stderr } = await chain.run(
        '2',
        'load',
        '--job-id',
        '2',
        '--to',
        'docker-archive:app.tar',
      );
      expect([code, stderr]).toEqual([expected, expect.stringContaining('base job 1 of project 12')]);
      expect(stderr).toContain(way);
      const urls = chain.gitlab.seen.map(({ url }) => url);
      expect(urls.filter((url) => /jobs\/3\b|bucket\/3\b/.test(url))).toEqual([]);
      const asked = urls.filter((url) => /jobs\/1\b|bucket\/1\b/.test(url));
      expect(asked.length).toBeGreaterThan(0);
      expect(new Set(asked).size, asked.join(' ')).toBe(asked.length);
    },
  );

  test.each([['inspect'], ['inspect', '--html', '-'], ['verify']])(
    'says in %s what is omitted, where it is and until when',
    async (verb, ...options) => {
      await chain.run('2', 'fetch', '--job', 'build', '--out', 'thin');
      const { code, stdout } = await chain.run('2', verb, 'thin', ...options);
      const { origin } = new URL(chain.gitlab.url);
      const place = `job 1 of project 12 has them until ${FAR}, in .drayage/1 at ${origin}`;
      expect([code, stdout]).toEqual([0, expect.stringMatching(/\b2 layers \(\d+ B(?: of \d+ B)?\): job/)]);
      expect(stdout).toContain(place);
    },
  );

  test('names in --json of inspect and verify the artifact that has what is omitted', async () => {
    await chain.run('2', 'fetch', '--job', 'build', '--out', 'thin');
    const { images } = await drayageJson<InspectResult>(['inspect', 'thin'], { cwd: chain.cwd });
    const { origin } = new URL(chain.gitlab.url);
    const parts = [
      {
        where: 'job 1 of project 12',
        until: FAR,
        job: { server: origin, project: '12', job: '1', path: '.drayage/1' },
        layers: 2,
        bytes: FIRST.layers.reduce((sum, { size }) => sum + size, 0),
      },
    ];
    expect(images.map(({ omitted }) => omitted)).toEqual([parts]);
    const { layouts } = await drayageJson<{ layouts: VerifyResult[] }>(['verify', 'thin'], {
      cwd: chain.cwd,
    });
    expect(layouts.map(({ omitted }) => omitted)).toEqual([{ layers: 2, bytes: parts[0]?.bytes, parts }]);
  });

  test('is verified and merged without what it omits, which stays where it is', async () => {
    await drayage(['fetch', '--job', 'build', '--out', 'thin'], { cwd: chain.cwd, env: chain.envOf('2') });
    await writeCargo(join(chain.cwd, 'tool'), makeCargo({ layers: ['tool'] }), 'tool:1');
    expect(await chain.run('2', 'save', '--from', 'tool', '--out', 'other')).toMatchObject({ code: 0 });
    chain.gitlab.seen.splice(0);
    expect(await chain.run('2', 'merge', 'thin', 'other', '--out', 'all')).toMatchObject({ code: 0 });
    const { code, stdout } = await chain.run('2', 'verify', 'all');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/2 layers \(.*\) omitted and not read/)]);
    expect(chain.gitlab.seen).toEqual([]);
    const loaded = await chain.run('2', 'load', 'all', '--to', 'docker-archive:app.tar');
    expect([loaded.code, loaded.stderr]).toEqual([
      0,
      expect.stringContaining('omitted layers are read from its base job 1 of project 12'),
    ]);
    chain.refuse('1', 404);
    expect(await chain.run('2', 'load', 'all', '--to', 'docker-archive:again.tar')).toMatchObject({
      code: 3,
    });
  });

  test('is completed by fetch, as long as the base is there', async () => {
    const fetched = await drayageJson<FetchResult>(
      ['fetch', '--job', 'build', '--complete', '--out', 'whole'],
      { cwd: chain.cwd, env: chain.envOf('2') },
    );
    expect(fetched.images).toHaveLength(1);
    chain.jobs.splice(0);
    expect(await chain.run('2', 'verify', 'whole')).toMatchObject({ code: 0 });
    expect(await chain.run('2', 'load', 'whole', '--to', 'docker-archive:app.tar')).toMatchObject({
      code: 0,
    });
  });

  test('asks no other server, whatever a layout says', async () => {
    const { code, stderr } = await drayage(['load', '--job', 'build', '--to', 'docker-archive:app.tar'], {
      cwd: chain.cwd,
      env: { ...chain.envOf('2'), CI_API_V4_URL: chain.gitlab.url.replace('127.0.0.1', 'localhost') },
    });
    expect(stderr).toContain('which is not the GitLab of this job');
    expect(code).toBe(5);
  });

  test('lies of a base about its layers reach no archive', async () => {
    const lie = makeCargo({ layers: ['evil', 'one'] });
    await chain.build(lie);
    expect(await chain.run('9', 'save', '--from', 'built', '-q')).toMatchObject({ code: 0 });
    const index = chain.jobs.find(({ id }) => id === 1) ?? expect.fail();
    const before = index.archive ?? expect.fail();
    // Another layer under the digest of the first one.
    const files = (await listFiles(join(chain.cwd, '.drayage/9'))).map(({ path }) => path);
    expect(files).not.toEqual([]);
    const [layer] = FIRST.layers;
    const evil = lie.source.blobs.get(lie.layers[0]?.digest ?? expect.fail()) ?? expect.fail();
    index.archive = zip([
      { path: '.drayage/1/oci-layout', bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
      { path: '.drayage/1/index.json', bytes: Buffer.from('{"schemaVersion":2,"manifests":[]}') },
      { path: `.drayage/1/blobs/sha256/${layer?.digest.slice(7)}`, bytes: evil },
    ]);
    expect(before).not.toEqual(index.archive);
    const { code, stderr } = await chain.archive('2');
    expect([code, stderr]).toEqual([4, expect.stringContaining('read from its base job 1 of project 12')]);
    expect(stderr).toContain('without this base: drayage save --base-job none');
    expect(stderr).not.toContain('retry this job');
    expect(await readdir(chain.cwd)).not.toContain('app.tar');
  });
});
