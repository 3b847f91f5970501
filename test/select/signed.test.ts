import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { signaturePolicy } from '../../src/attest/authenticate.ts';
import { bundleReferrer } from '../../src/attest/referrer.ts';
import { provenanceStatement } from '../../src/attest/statement.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import { expectationsOf } from '../../src/ci/expectations.ts';
import type { Ci } from '../../src/ci/ci.ts';
import { github } from '../../src/ci/github/github.ts';
import { gitlab } from '../../src/ci/gitlab/gitlab.ts';
import { originAnnotations } from '../../src/ci/origin.ts';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { once } from '../../src/stream/tap.ts';
import { permittedNames, refusalOf, select } from '../../src/select/select.ts';
import type { Selection } from '../../src/select/selection.ts';
import { bytesOf, keyBundle, keyPair } from '../attest/bundles.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex } from '../../src/testing/sample-images.ts';
import { githubJob } from '../support/github-job.ts';
import { gitlabJob, SIGNING_JOB } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KEYS = keyPair();
const OLD = sampleImage(['old run']);
const NEW = sampleImage(['new run']);

/** Jobs of both CIs. A run of a job has an ID of its own, or a number among its attempts. */
const JOBS: { ci: Ci; variables: (run: string, pipeline?: string) => Record<string, string> }[] = [
  {
    ci: gitlab,
    variables: (run, pipeline = '4711') => ({
      ...SIGNING_JOB,
      ...gitlabJob(run, 'build'),
      CI_PIPELINE_ID: pipeline,
    }),
  },
  {
    ci: github,
    variables: (run, pipeline = '4711') => githubJob({ GITHUB_RUN_ID: pipeline, GITHUB_RUN_ATTEMPT: run }),
  },
];

/** What a layout states about an image that a run of a job has made. */
interface Stated {
  image: SampleImage;
  /** The ID of the job's run, which signs. */
  job: string;
  /** Whether the statement is that of another tool, which states no job. */
  isForeign?: boolean;
  /** The signed pipeline; default: that of the others. */
  pipeline?: string;
  /** The names that are signed. */
  names?: readonly string[];
  /** What the index says instead. */
  annotations?: Record<string, string | undefined>;
  as?: readonly string[];
  platform?: string;
  unsigned?: boolean;
}

type Restated = Omit<Partial<Descriptor>, 'annotations'> & { annotations?: Record<string, unknown> };

/** What an entry may state that hides its image from those who believe it. */
const HIDING: [string, Restated][] = [
  ['the kind of a signature', { annotations: { kind: 'dev.cosignproject.cosign/sigs' } }],
  [
    'the name of a signature',
    { annotations: { 'org.opencontainers.image.ref.name': `sha256-${'a'.repeat(64)}.sig` } },
  ],
  ['the type of an artifact', { artifactType: 'application/vnd.example' }],
  ['no platform', { platform: { os: 'unknown', architecture: 'unknown' } }],
];

/** What an entry may state that makes it unreadable. */
const SPOILING: [string, Restated][] = [
  ['an annotation that is no text', { annotations: { note: 5 } }],
  ['embedded data of other content', { data: 'b3RoZXI=' }],
  ['an annotation in another spelling', { ...({ Annotations: {} } as object) }],
];

/** Changes the entry of an image in index.json, as whoever can write the file may. */
async function restate({ path }: Layout, { root }: SampleImage, stated: Restated): Promise<void> {
  const file = `${path}/index.json`;
  const index = JSON.parse(await readFile(file, 'utf8')) as { manifests: Descriptor[] };
  const { annotations, ...others } = stated;
  const manifests = index.manifests.map((entry) =>
    entry.digest === root.digest
      ? { ...entry, ...others, annotations: { ...entry.annotations, ...annotations } }
      : entry,
  );
  await writeFile(file, JSON.stringify({ ...index, manifests }));
}

describe.each(JOBS)('in $ci.title', ({ ci, variables }) => {
  const ORIGIN = ci.readOrigin(variables('123'));
  const PREFIX = `dev.drayage.${ci.name}.`;

  /** @param at what the referrer states as its date */
  async function sign(
    layout: Layout,
    { image, job, names = ['app:1'], pipeline, isForeign }: Stated,
    at: Date = new Date(0),
  ): Promise<void> {
    const build = ci.readBuild(variables(job, pipeline));
    const attested = { digest: image.root.digest, ids: [image.config.digest], names };
    const own = isForeign === true ? { ...build, buildType: 'https://tool.example/build/v1' } : build;
    const statement = provenanceStatement(attested, own, { finishedAt: new Date(0), version: '1' });
    const bundle = bytesOf(keyBundle(KEYS.privateKey, statement));
    const { root, documents } = bundleReferrer(image.root, bundle, at);
    await layout.update(async (content) => {
      for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
      content.add(root, [], {});
    });
  }

  async function layoutOf(...all: Stated[]): Promise<Layout> {
    const layout = await Layout.create(`${await temporaryFolder()}/layout`);
    for (const stated of all) {
      const { image, job, as, names = ['app:1'], platform } = stated;
      const own = { ...originAnnotations(ci.readOrigin(variables(job))), ...stated.annotations };
      const annotations = Object.fromEntries(
        Object.entries(own).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
      );
      await layout.update(async (content) => {
        await addSample(content, image, [], annotations);
        const root =
          platform === undefined ? image.root : { ...image.root, platform: parsePlatform(platform) };
        content.remove(image.root.digest);
        content.add(root, as ?? names, annotations);
      });
      if (stated.unsigned !== true) await sign(layout, stated);
    }
    return layout;
  }

  /** The policy of a job of the pipeline that requires signatures. */
  async function signed(options: Selection = {}): Promise<Selection> {
    const values = { commit: [ORIGIN.commit] };
    const authenticate = signaturePolicy(await loadTrust(KEYS), { values });
    return { policy: originPolicy(expectationsOf(ORIGIN)), authenticate, ...options };
  }

  const RENAMED = `${PREFIX}job-name`;

  describe('of two runs of a job the signed numbers decide, whatever annotations state', () => {
    const old = { image: OLD, job: '100' };
    const later = { image: NEW, job: '200' };

    test.each<[string, Stated['annotations'], Stated['annotations']]>([
      ['nothing else', {}, {}],
      ['a higher number of the old run', { [`${PREFIX}job-id`]: '999' }, {}],
      ['a higher run of the old run', { [`${PREFIX}run`]: '999' }, {}],
      ['a lower number of the new run', {}, { [`${PREFIX}job-id`]: '1' }],
      ['a lower run of the new run', {}, { [`${PREFIX}run`]: '0' }],
      ['no number of the new run', {}, { [`${PREFIX}job-id`]: undefined }],
      ['another job for the new run', {}, { [RENAMED]: 'other' }],
      ['another job for the old run', { [RENAMED]: 'other', [`${PREFIX}job-id`]: '999' }, {}],
      ['another pipeline for the new run', {}, { [`${PREFIX}pipeline-id`]: '4712' }],
      ['another commit for the new run', {}, { 'org.opencontainers.image.revision': 'b'.repeat(40) }],
      ['another server for the new run', {}, { [`${PREFIX}server`]: 'https://other.example' }],
      ['another project for the new run', {}, { [`${PREFIX}project-path`]: 'group/other' }],
      ['another project ID for the new run', {}, { [`${PREFIX}project-id`]: '13' }],
      ['two CIs for the new run', {}, { 'dev.drayage.harbour.job-id': '1' }],
      [
        'nothing of the new run',
        {},
        Object.fromEntries(Object.keys(originAnnotations(ORIGIN)).map((key) => [key, undefined])),
      ],
    ])('%s', async (_, ofOld, ofNew) => {
      const places = [
        await layoutOf({ ...old, annotations: ofOld }),
        await layoutOf({ ...later, annotations: ofNew }),
      ];
      for (const images of [undefined, ['app:1']]) {
        for (const order of [places, places.toReversed()]) {
          const notes: string[] = [];
          const onProgress = (event: { kind: string; message?: string }): void =>
            void notes.push(event.message ?? '');
          const [one, ...others] = await select(order, await signed({ images, onProgress }));
          expect([one?.root.digest, others]).toEqual([NEW.root.digest, []]);
          expect(notes).toContain('app:1 of job 100 is skipped: the job ran again as 200');
        }
      }
      expect(await permittedNames(places, await signed())).toEqual(['app:1']);
    });

    test.each([
      ...HIDING.map((one) => [...one, ['app:1']] as const),
      ...SPOILING.map((one) => [...one, ['other:1']] as const),
    ])('%s of the new run, by name', async (_, stated, as) => {
      const places = [await layoutOf(old), await layoutOf({ ...later, as })];
      await restate(places[1] as Layout, NEW, stated);
      const [one, ...others] = await select(places, await signed({ images: ['app:1'] }));
      expect([one?.root.digest, others]).toEqual([NEW.root.digest, []]);
    });

    test.each(HIDING)('%s of the new run, among all', async (_, stated) => {
      const places = [await layoutOf(old), await layoutOf(later)];
      await restate(places[1] as Layout, NEW, stated);
      const [one, ...others] = await select(places, await signed());
      expect([one?.root.digest, others]).toEqual([NEW.root.digest, []]);
    });

    test.each(SPOILING)('%s of the new run is damage among all', async (_, stated) => {
      const places = [await layoutOf(old), await layoutOf(later)];
      await restate(places[1] as Layout, NEW, stated);
      await expect(select(places, await signed())).rejects.toMatchObject({ code: 'MALFORMED' });
      const byName = await signed({ images: ['app:1'] });
      await expect(select(places, byName)).rejects.toMatchObject({ code: 'MALFORMED' });
      await expect(permittedNames(places, await signed())).rejects.toMatchObject({ code: 'MALFORMED' });
    });

    test('another name and another pipeline of the new run', async () => {
      const annotations = { [`${PREFIX}pipeline-id`]: '4712' };
      const places = [await layoutOf(old), await layoutOf({ ...later, as: ['other:1'], annotations })];
      await expect(select(places, await signed())).rejects.toMatchObject({ facts: { reason: 'NAME' } });
      const [one] = await select(places, await signed({ images: ['app:1'] }));
      expect(one?.root.digest).toBe(NEW.root.digest);
    });

    test('a damaged image that nobody asked for is no obstacle', async () => {
      const damaged = sampleImage(['damaged']);
      const place = await layoutOf(later, { image: damaged, job: '200', as: ['damaged:1'] });
      const fileOf = ({ digest }: Descriptor): string => `${place.path}/blobs/${digest.replace(':', '/')}`;
      const damages = [
        ...[damaged.config, damaged.root].map(
          (blob) => async () => writeFile(fileOf(blob), Buffer.alloc(blob.size, 'x')),
        ),
        async () => {
          await rm(fileOf(damaged.root));
          await symlink(fileOf(NEW.root), fileOf(damaged.root));
        },
      ];
      for (const damage of damages) {
        await damage();
        for (const reference of ['app:1', NEW.config.digest, NEW.root.digest.slice(7, 19)]) {
          const layout = await Layout.open(place.path);
          const [one, ...others] = await select([layout], await signed({ images: [reference] }));
          expect([one?.root.digest, others]).toEqual([NEW.root.digest, []]);
        }
      }
    });

    test('copies of one image are checked once', async () => {
      const counts = [];
      for (const n of [2, 4]) {
        const places = await Promise.all(Array.from({ length: n }, () => layoutOf(later)));
        let count = 0;
        const { authenticate = expect.fail(), ...selection } = await signed();
        const counting: typeof authenticate = async (...args) => {
          count += 1;
          return authenticate(...args);
        };
        expect(await select(places, { ...selection, authenticate: counting })).toHaveLength(1);
        counts.push(count);
      }
      expect(counts).toEqual([1, 1]);
    });

    test.each([
      ['no name', []],
      ['another name', ['other:1']],
    ])('%s of the new run', async (_, as) => {
      const places = [await layoutOf(old), await layoutOf({ ...later, as })];
      const [one, ...others] = await select(places, await signed({ images: ['app:1'] }));
      expect([one?.root.digest, one?.image.names, others]).toEqual([NEW.root.digest, ['app:1'], []]);
    });

    test('an image without a signature stands for no later run', async () => {
      const planted = { image: NEW, job: '999', unsigned: true };
      const places = [await layoutOf(old), await layoutOf(planted)];
      await expect(select(places, await signed())).rejects.toMatchObject({ facts: { reason: 'UNSIGNED' } });
    });

    test('an image without a signature that an earlier run made is no obstacle', async () => {
      const places = [await layoutOf({ ...old, unsigned: true }), await layoutOf(later)];
      const chosen = await select(places, await signed());
      expect(chosen.map(({ root }) => root.digest)).toEqual([NEW.root.digest]);
    });

    test('an earlier image of the same run keeps no name that moved on', async () => {
      const place = await layoutOf({ image: OLD, job: '200', as: [] }, later);
      const [one, ...others] = await select([place], await signed({ images: ['app:1'] }));
      expect([one?.root.digest, others]).toEqual([NEW.root.digest, []]);
    });
  });

  describe('of several signatures of one image, what is signed decides, not the date of the referrer', () => {
    const again = { image: OLD, job: '300' };

    test.each([[[100, 300]], [[300, 100]]])(
      'the last run counts, whichever seems newer: %j',
      async (dates) => {
        const place = await layoutOf({ image: OLD, job: '100', unsigned: true });
        const between = await layoutOf({ image: NEW, job: '200' });
        const [early = 0, late = 0] = dates;
        await sign(place, { image: OLD, job: '100' }, new Date(early));
        await sign(place, again, new Date(late));
        const chosen = await select([place, between], await signed());
        expect(chosen.map(({ root }) => root.digest)).toEqual([OLD.root.digest]);
      },
    );

    test('a run counts only for the names that it signed', async () => {
      const place = await layoutOf({ image: OLD, job: '100' });
      const between = await layoutOf({ image: NEW, job: '200' });
      await sign(place, { ...again, names: ['other:1'] }, new Date(1e12));
      for (const images of [undefined, ['app:1']]) {
        const chosen = await select([place, between], await signed({ images }));
        expect(chosen.map(({ root }) => root.digest)).toEqual([NEW.root.digest]);
      }
    });

    test('a run of the expected pipeline is found beside a later one of another', async () => {
      const place = await layoutOf({ image: OLD, job: '100' });
      await sign(place, { ...again, pipeline: '4712' }, new Date(1e12));
      const [one] = await select([place], await signed());
      expect(one?.image.annotations).toMatchObject({
        [`${PREFIX}pipeline-id`]: '4711',
        [`${PREFIX}job-id`]: ci.readOrigin(variables('100')).jobId,
      });
    });
  });

  test('of two pipelines that the policy permits, the signature of the later one decides', async () => {
    const place = await layoutOf({ image: OLD, job: '2' });
    await sign(place, { image: OLD, job: '3', pipeline: '4712' });
    await sign(place, { image: OLD, job: '1', pipeline: '4712' });
    const policy = originPolicy({ commit: [ORIGIN.commit] });
    const [one] = await select([place], await signed({ policy }));
    const { pipelineId, jobId } = ci.readOrigin(variables('3', '4712'));
    expect(one?.image.annotations).toMatchObject({
      [`${PREFIX}pipeline-id`]: pipelineId,
      [`${PREFIX}job-id`]: jobId,
    });
  });

  test('an image whose signature states no job replaces none whose run is signed, whatever its annotations state', async () => {
    const places = [
      await layoutOf({ image: OLD, job: '999', isForeign: true }),
      await layoutOf({ image: NEW, job: '200' }),
    ];
    const authenticate = signaturePolicy(await loadTrust(KEYS), { values: {} });
    const selection = await signed({ authenticate });
    await expect(select(places, selection)).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    const [alone] = await select(places.slice(0, 1), selection);
    expect(alone?.image.annotations).toMatchObject({
      [`${PREFIX}job-id`]: ci.readOrigin(variables('999')).jobId,
    });
  });

  test('an image of another pipeline is passed over by what is signed, and one of ours is refused for its signature', async () => {
    const foreign = {
      image: OLD,
      job: '100',
      unsigned: true,
      annotations: { [`${PREFIX}pipeline-id`]: '4000' },
    };
    const places = [await layoutOf(foreign), await layoutOf({ image: NEW, job: '200' })];
    expect((await select(places, await signed())).map(({ root }) => root.digest)).toEqual([NEW.root.digest]);
    const ours = [
      await layoutOf({ ...foreign, as: ['old:1'], annotations: { [RENAMED]: 'other' } }),
      places[1] as Layout,
    ];
    await expect(select(ours, await signed())).rejects.toMatchObject({ facts: { reason: 'UNSIGNED' } });
  });

  test('an image of another pipeline does not become ours by its annotations', async () => {
    const layout = await layoutOf({ image: OLD, job: '100' });
    const policy = originPolicy({ ...expectationsOf(ORIGIN), pipeline: ['4712'] });
    const [image] = await layout.images();
    const lying = { ...image, annotations: { ...image?.annotations, [`${PREFIX}pipeline-id`]: '4712' } };
    const selection = await signed({ policy });
    expect(await refusalOf({ place: layout, image: lying as never }, selection)).toMatchObject({
      facts: { reason: 'OTHER_ORIGIN', actual: '4711' },
    });
  });

  describe('the platform of a signed image is that of its config', () => {
    const arm = sampleImage(['arm'], 'arm64');

    test('where the index states another one', async () => {
      const place = await layoutOf(
        { image: NEW, job: '200', platform: 'linux/arm64' },
        { image: arm, job: '200', platform: 'linux/amd64' },
      );
      for (const [platform, image] of [
        ['linux/amd64', NEW],
        ['linux/arm64', arm],
      ] as const) {
        const [one, ...others] = await select([place], await signed({ platform: parsePlatform(platform) }));
        expect([one?.root.digest, others]).toEqual([image.root.digest, []]);
      }
      await expect(
        select([place], await signed({ images: ['app:1'], platform: parsePlatform('linux/s390x') })),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('where an index that nobody signed lists it for another one', async () => {
      const layout = await layoutOf({ image: NEW, job: '200', as: [] }, { image: arm, job: '200', as: [] });
      const listed = (a: string, b: string): SampleImage =>
        sampleIndex([
          { ...NEW, root: { ...NEW.root, platform: parsePlatform(a) } },
          { ...arm, root: { ...arm.root, platform: parsePlatform(b) } },
        ]);
      const add = (image: SampleImage, name: string): Promise<void> =>
        layout.update((content) => addSample(content, image, [name], originAnnotations(ORIGIN)));
      await add(listed('linux/amd64', 'linux/arm64/v8'), 'app:1');
      expect(await select([layout], await signed({ images: ['app:1'] }))).toHaveLength(1);
      await add(listed('linux/arm64', 'linux/amd64'), 'app:1');
      await expect(select([layout], await signed({ images: ['app:1'] }))).rejects.toMatchObject({
        facts: { reason: 'CONTRADICTION' },
      });
    });
  });

  test('names that are not signed are refused', async () => {
    const place = await layoutOf({ image: OLD, job: '100', as: ['other:1'] });
    await expect(select([place], await signed())).rejects.toMatchObject({ facts: { reason: 'NAME' } });
  });
});
