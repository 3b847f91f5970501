import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ExpectedProvenance } from '../../../src/attest/expect.ts';
import { signaturePolicy } from '../../../src/attest/authenticate.ts';
import { readIdentityToken } from '../../../src/attest/identity-token.ts';
import { githubStatement, gitlabStatement } from '../../../src/attest/job-statements.ts';
import { keySigner } from '../../../src/attest/signer.ts';
import { provenanceOfBuild } from '../../../src/attest/statement.ts';
import { loadTrust } from '../../../src/attest/trust.ts';
import { readBuild } from '../../../src/ci/github/build.ts';
import { DrayageError } from '../../../src/errors.ts';
import { Layout } from '../../../src/layout/layout.ts';
import { addSample, sampleImage } from '../../../src/testing/sample-images.ts';
import { load } from '../../../src/verbs/load/load.ts';
import { sign } from '../../../src/verbs/sign.ts';
import { keyless, keyPair, statement } from '../../attest/bundles.ts';
import { FakeSigstore, identityToken } from '../../support/fake-sigstore.ts';
import { githubJob } from '../../support/github-job.ts';
import { SIGNING_JOB } from '../../support/gitlab-job.ts';
import { MemoryEndpoint } from '../../support/memory-endpoint.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const KEYS = keyPair();
const APP = sampleImage(['app']);

async function signedLayout(change: Record<string, string> = {}): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
  await sign({ layout, statement: githubStatement(githubJob(change)), sign: keySigner(KEYS) });
  return layout;
}

async function loadExpecting(layout: Layout, expected: ExpectedProvenance): Promise<unknown> {
  const authenticate = signaturePolicy(await loadTrust(KEYS), expected);
  return load({ from: [layout], to: new MemoryEndpoint(), authenticate });
}

test.each([
  { project: ['group/app'], commit: ['c'.repeat(40)] },
  { ref: ['main'], job: ['build'], pipeline: ['77'] },
  { 'job-id': ['77.build.2'], server: ['https://github.com'] },
])('an image that a GitHub Actions job signed is accepted for %j', async (values) => {
  await expect(loadExpecting(await signedLayout(), { values })).resolves.toBeDefined();
});

test.each([
  { project: ['app'] },
  { pipeline: ['78'] },
  { 'job-id': ['77.build.3'] },
  { 'job-id': ['77.evil.2'] },
  { 'job-id': ['77..2'] },
  { server: ['https://github.example'] },
])('and refused for %j', async (values) => {
  await expect(loadExpecting(await signedLayout(), { values })).rejects.toMatchObject({ code: 'POLICY' });
});

test('the ID of a job is not that of another job of the attempt, whose address is the same', async () => {
  const values = { 'job-id': ['77.build.2'] };
  const refused = loadExpecting(await signedLayout({ GITHUB_JOB: 'evil' }), { values });
  await expect(refused).rejects.toMatchObject({
    facts: { reason: 'JOB_ID', expected: '77.build.2', actual: '77.evil.2' },
  });
});

test('the pipeline is that of the signed address, whatever the statement claims', async () => {
  const build = readBuild(githubJob());
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update((transaction) => addSample(transaction, APP, ['app:1']));
  const lying = { ...build, internalParameters: { ...build.internalParameters, pipelineId: '78' } };
  await sign({ layout, statement: provenanceOfBuild(lying), sign: keySigner(KEYS) });
  await expect(loadExpecting(layout, { values: { pipeline: ['78'] } })).rejects.toMatchObject({
    facts: { reason: 'PIPELINE', actual: '77' },
  });
});

test('a policy of your own decides by what the signature states', async () => {
  const layout = await signedLayout();
  const seen: (string | null)[] = [];
  const accept: ExpectedProvenance['accept'] = ({ source, ref }) => {
    seen.push(source);
    if (ref !== 'refs/heads/release') throw new DrayageError('POLICY', `only releases, not ${ref}`);
  };
  await expect(loadExpecting(layout, { values: {}, accept })).rejects.toThrow(
    'only releases, not refs/heads/main',
  );
  expect(seen).toEqual(['https://github.com/group/app']);
});

test('a statement is not made for a job whose variables are incomplete', () => {
  expect(() => githubStatement(githubJob({ GITHUB_SHA: '' }))).toThrow('GITHUB_SHA is not set');
  expect(() => gitlabStatement({ ...SIGNING_JOB, CI_COMMIT_SHA: '' })).toThrow('CI_COMMIT_SHA is not set');
});

test('a function is asked for the identity token of each signature', async () => {
  const fake = await FakeSigstore.start();
  let asked = 0;
  const token = async () => {
    asked += 1;
    return readIdentityToken(identityToken());
  };
  const signStatement = keyless(fake, { token });
  for (const _ of [1, 2]) await signStatement(statement());
  expect(asked).toBe(2);
  await fake.close();
});
