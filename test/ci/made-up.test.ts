import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { signaturePolicy } from '../../src/attest/authenticate.ts';
import type { ExpectedProvenance } from '../../src/attest/expect.ts';
import { readIdentityToken } from '../../src/attest/identity-token.ts';
import { keySigner } from '../../src/attest/signer.ts';
import { provenanceOfBuild, provenanceStatement } from '../../src/attest/statement.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import { verifyBundle } from '../../src/attest/verify-bundle.ts';
import { formatDotenvReport } from '../../src/ci/dotenv.ts';
import type { Expectations } from '../../src/ci/expectations.ts';
import { expectationsOf } from '../../src/ci/expectations.ts';
import { readOrigin as readGitLabOrigin } from '../../src/ci/gitlab/job.ts';
import { gitlab } from '../../src/ci/gitlab/gitlab.ts';
import { originAnnotations, originOf } from '../../src/ci/origin.ts';
import { originPolicy } from '../../src/ci/origin-policy.ts';
import { ownImages } from '../../src/ci/own-images.ts';
import { imageVariables } from '../../src/ci/variables.ts';
import type { StoredImage } from '../../src/content/image-index.ts';
import { Layout } from '../../src/layout/layout.ts';
import { save } from '../../src/verbs/save/save.ts';
import { sign } from '../../src/verbs/sign.ts';
import { DIGEST, keyless, keyPair } from '../attest/bundles.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';
import { FakeSigstore, identityToken } from '../support/fake-sigstore.ts';
import { gitlabJob } from '../support/gitlab-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { harbour, harbourTask } from './made-up.ts';

const TASK = harbourTask('build', 2);
const ORIGIN = harbour.readOrigin(TASK);
const GITLAB = readGitLabOrigin({ ...gitlabJob('123', 'build'), CI_PIPELINE_ID: '77' });
const [IMAGE, OTHER, THIRD] = [sampleImage(['a']), sampleImage(['b']), sampleImage(['c'])];
const HEX = IMAGE.config.digest.slice(7, 19);

let folder: string;
beforeEach(async () => (folder = await temporaryFolder()));

/** A layout that holds images under names, each with its origin. */
async function layoutOf(...images: [typeof IMAGE, string, Record<string, string>][]): Promise<Layout> {
  const layout = await Layout.create(join(folder, 'layout'));
  await layout.update(async (content) => {
    for (const [image, name, annotations] of images) await addSample(content, image, [name], annotations);
  });
  return layout;
}

function imageOf(env: Record<string, string>, name = 'app:1', sample = IMAGE): StoredImage {
  return { root: sample.root, names: [name], annotations: originAnnotations(harbour.readOrigin(env)) };
}

test('its variables are an origin, and one that is not set is named', () => {
  expect(ORIGIN).toMatchObject({ projectPath: 'crew/app', pipelineId: '77', jobId: '77.build.2', run: '2' });
  expect(() => harbour.readOrigin({ ...TASK, HARBOUR_COMMIT: '' })).toThrow('HARBOUR_COMMIT is not set');
  expect([harbour, gitlab].filter((ci) => ci.isHere(TASK))).toEqual([harbour]);
});

test('its annotations have its name, and are read without knowing it', () => {
  const annotations = originAnnotations(ORIGIN);
  expect(annotations).toEqual({
    'org.opencontainers.image.revision': 'c'.repeat(40),
    'org.opencontainers.image.source': 'https://harbour.example/crew/app',
    'dev.drayage.harbour.server': 'https://harbour.example',
    'dev.drayage.harbour.project-path': 'crew/app',
    'dev.drayage.harbour.project-id': 'crew/app',
    'dev.drayage.harbour.pipeline-id': '77',
    'dev.drayage.harbour.job-id': '77.build.2',
    'dev.drayage.harbour.job-name': 'build',
    'dev.drayage.harbour.run': '2',
    'dev.drayage.harbour.ref': 'main',
  });
  expect(originOf(annotations)).toEqual(ORIGIN);
});

describe('what is saved', () => {
  test('has the unique tag of the pipeline, and is found by it', async () => {
    const to = await Layout.create(join(folder, 'saved'));
    const from = await layoutOf([IMAGE, 'app:1', {}]);
    const { images } = await save({ from, to, annotations: originAnnotations(ORIGIN) });
    const ref = `app:pipeline-77-${HEX}`;
    expect(images).toMatchObject([{ ref }]);
    expect((await to.resolve(ref))[0].root.digest).toBe(images[0]?.digest);
  });

  test('of an image of another CI, is of this one alone', async () => {
    const to = await Layout.create(join(folder, 'saved'));
    const from = await layoutOf([IMAGE, 'app:1', { ...originAnnotations(GITLAB), note: 'kept' }]);
    await save({ from, to, annotations: originAnnotations(ORIGIN) });
    const [image] = await to.images();
    expect(originOf(image?.annotations ?? {})).toEqual(ORIGIN);
    expect(image?.annotations).toMatchObject({ note: 'kept' });
  });
});

test('an image that states two CIs states no origin', () => {
  const both = { ...originAnnotations(ORIGIN), ...originAnnotations(GITLAB) };
  expect(originOf(both)).toEqual({ commit: GITLAB.commit, projectUrl: GITLAB.projectUrl });
});

describe('what a task expects', () => {
  const policy = originPolicy(expectationsOf(ORIGIN));

  test('is images of its voyage and commit, whichever task saved them', () => {
    const images = [
      imageOf(harbourTask('lint', 1)),
      imageOf({ ...TASK, HARBOUR_VOYAGE: '78' }, 'new:1', OTHER),
    ];
    const notes: string[] = [];
    expect(policy.choose(images, (note) => notes.push(note))).toEqual(images.slice(0, 1));
    expect(notes).toEqual(['new:1 is skipped: pipeline is 78, not 77']);
  });

  test('refuses an image of another CI, and says what would accept it', () => {
    const image = { root: IMAGE.root, names: ['app:1'], annotations: originAnnotations(GITLAB) };
    expect(() => policy.choose([image], () => {})).toThrow(
      expect.objectContaining({
        code: 'POLICY',
        facts: expect.objectContaining({
          accepting: {
            server: ['https://gitlab.example'],
            project: ['group/app'],
            commit: ['a'.repeat(40)],
          },
        }) as object,
      }) as Error,
    );
  });

  test('is the last attempt of a task, by number', () => {
    const attempts = [
      imageOf(harbourTask('build', 9), 'nine:1'),
      imageOf(harbourTask('build', 10), 'ten:1', OTHER),
      imageOf(harbourTask('lint', 1), 'lint:1', THIRD),
    ];
    const notes: string[] = [];
    const chosen = policy.choose(attempts, (note) => notes.push(note));
    expect(chosen.flatMap(({ names }) => names)).toEqual(['ten:1', 'lint:1']);
    expect(notes).toEqual(['nine:1 of job 9 is skipped: the job ran again as 10']);
  });
});

test('a task may sign its own images, and no others', () => {
  const own = ownImages(ORIGIN);
  expect(own.choose([imageOf(TASK)], () => {})).toHaveLength(1);
  expect(() => own.choose([imageOf(harbourTask('build', 1))], () => {})).toThrow(
    'its job-id is 77.build.1, not 77.build.2',
  );
});

test('its reports have its limits', () => {
  const image = { name: 'app:1', ref: 'app:pipeline-77-aaaaaaaaaaaa', id: DIGEST, digest: DIGEST };
  const images = ['app', 'web'].map((name) => ({ ...image, ref: image.ref.replace('app', name), name }));
  const pairs = images.map((one, i) => ({ ...one, digest: [IMAGE, OTHER][i]?.root.digest ?? DIGEST }));
  const report = formatDotenvReport(imageVariables(pairs), harbour.dotenvLimits);
  expect(report.text.split('\n').slice(0, 2)).toEqual([
    'DRAYAGE_APP_REF=app:pipeline-77-aaaaaaaaaaaa',
    'DRAYAGE_WEB_REF=web:pipeline-77-aaaaaaaaaaaa',
  ]);
  expect(report.dropped).toBe(2);
});

describe('what it signs', () => {
  const buildTypes = [gitlab.buildType, harbour.buildType];
  const ALL: Expectations = {
    ...expectationsOf(ORIGIN),
    job: ['build'],
    'job-id': ['77.build.2'],
    ref: ['main'],
  };

  test('with a key is accepted as all that it is', async () => {
    const keys = keyPair();
    const to = await layoutOf([IMAGE, 'app:1', originAnnotations(ORIGIN)]);
    const [build, policy] = [harbour.readBuild(TASK), ownImages(ORIGIN)];
    await sign({
      layout: to,
      statement: provenanceOfBuild(build),
      policy,
      sign: keySigner(keys),
      now: new Date(0),
    });
    const trust = await loadTrust(keys);
    const check = async (values: Expectations, known = buildTypes): Promise<unknown> =>
      signaturePolicy(trust, { values, buildTypes: known })((await to.resolve('app:1'))[0], to);
    expect(await check(ALL)).toHaveLength(1);
    for (const values of [
      { pipeline: ['78'] },
      { 'job-id': ['77.build.3'] },
      { project: ['crew/ap'] },
      { commit: ['a'.repeat(40)] },
    ])
      await expect(check(values)).rejects.toMatchObject({ code: 'POLICY' });
    // Whoever does not know the build type believes nothing of it.
    await expect(check({ pipeline: ['77'] }, [gitlab.buildType])).rejects.toMatchObject({
      facts: { reason: 'PIPELINE' },
    });
  });

  describe('with a certificate', () => {
    const { signer, ...build } = harbour.readBuild(TASK);

    /** What a certificate of this task's states, by the number of its extension. */
    const STATED: Record<string, string> = {
      8: signer.issuer,
      12: ORIGIN.projectUrl,
      13: ORIGIN.commit,
      14: 'refs/heads/main',
      20: 'push',
      21: build.invocationId,
    };

    async function judge(values: Expectations, stated: Record<string, string> = {}): Promise<unknown> {
      const fake = await FakeSigstore.forTest();
      fake.extensions = (extensions) =>
        extensions.map((extension) => {
          const n = extension.oid.split('.').at(-1) ?? '';
          return { ...extension, value: stated[n] ?? STATED[n] ?? extension.value };
        });
      const statement = provenanceStatement(
        { digest: DIGEST, ids: [IMAGE.config.digest], names: ['app:1'] },
        { ...build, signer },
        { finishedAt: new Date(0), version: '1' },
      );
      const claims = { ci_config_ref_uri: 'harbour.example/crew/app#main' };
      const token = readIdentityToken(identityToken(claims), new Date());
      const bundle = await keyless(fake, { token })(statement);
      const expected: ExpectedProvenance = {
        signer: { issuer: signer.issuer, identity: [signer.identity ?? ''] },
        values,
        buildTypes,
      };
      return verifyBundle(bundle, DIGEST, await loadTrust({ trustedRoot: fake.root() }), expected);
    }

    test('is accepted as all that it is', async () => {
      expect(await judge(ALL)).toMatchObject({
        source: 'https://harbour.example/crew/app',
        claimed: { jobName: 'build', pipeline: '77' },
      });
    });

    test('of a merge counts only where its commit is expected', async () => {
      const offer = { 20: 'offer' };
      await expect(judge({}, offer)).rejects.toMatchObject({ facts: { reason: 'MERGE_REQUEST' } });
      expect(await judge({ commit: [ORIGIN.commit] }, offer)).toBeDefined();
    });
  });
});
