/** Real cosign verifies what drayage signs, offline, and drayage verifies what real cosign signs. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleReferrer } from '../../src/attest/referrer.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { once } from '../../src/stream/tap.ts';
import type { SavedImage } from '../../src/verbs/save/options.ts';
import { drayage, drayageJson } from '../support/cli.ts';
import { FakeSigstore, identityToken } from '../support/fake-sigstore.ts';
import { fixturePath } from '../support/fixtures.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import type { CosignKind } from './support/cosign.ts';
import { COSIGN_KINDS, cosign, cosignSkipReason } from './support/cosign.ts';
import type { CommandResult } from './support/run-command.ts';
import { makeTempFolder, removeTempFolder, sweepTempFolders } from './support/temp-folders.ts';

const IDENTITY = 'https://gitlab.example/group/app//.gitlab-ci.yml@refs/heads/main';
const ISSUER = 'https://gitlab.example';
const PASSWORD = 'correct horse';
const TYPE = ['--type', 'slsaprovenance1'];

let cwd: string;
let fake: FakeSigstore;

beforeAll(async () => {
  await sweepTempFolders();
  cwd = await makeTempFolder();
  fake = await FakeSigstore.start();
  await writeFile(join(cwd, 'root.json'), fake.root());
  // Without one, the older cosign asks for the public instance's even to look at a signature of a key.
  await writeFile(
    join(cwd, 'no-root.json'),
    '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',
  );
});
afterAll(async () => {
  await fake.close();
  await removeTempFolder(cwd);
});

/** Saves and signs one image into a layout of its own. */
async function signed(layout: string, ...how: string[]): Promise<Digest> {
  const env = { ...SIGNING_JOB, COSIGN_PASSWORD: PASSWORD, SIGSTORE_ID_TOKEN: identityToken() };
  const args = [
    'save',
    'example/app:1',
    '--from',
    fixturePath('docker-28-graph.tar'),
    '-o',
    layout,
    '--sign',
    ...how,
  ];
  const { images } = await drayageJson<{ images: SavedImage[] }>(args, { cwd, env });
  return images[0]?.digest as Digest;
}

const keylessly = () => ['--keyless', ...fake.options];
const blob = (layout: string, digest: Digest): string => join(cwd, layout, 'blobs/sha256', digestHex(digest));

/** The bundle of the one signature in a layout. */
async function bundlePath(layout: string, digest: Digest): Promise<string> {
  const opened = await Layout.open(join(cwd, layout));
  const [image] = await opened.resolve(digest);
  const [referrer] = await opened.referrers(image.root);
  const manifest = JSON.parse(await readFile(blob(layout, referrer?.digest as Digest), 'utf8')) as {
    layers: { digest: Digest }[];
  };
  return blob(layout, manifest.layers[0]?.digest as Digest);
}

describe.each(COSIGN_KINDS)('cosign of %s', (kind: CosignKind) => {
  const reason = cosignSkipReason(kind);
  const run = (...args: string[]) => cosign(kind, args, { home: cwd, password: PASSWORD });
  const verifyBlob = async (layout: string, digest: Digest, ...how: string[]) =>
    run(
      'verify-blob-attestation',
      '--new-bundle-format',
      '--bundle',
      await bundlePath(layout, digest),
      ...TYPE,
      ...how,
      blob(layout, digest),
    );

  test.skipIf(reason)(
    `verifies a certificate's signature offline, and refuses another identity${why(reason)}`,
    async () => {
      const layout = `keyless-${kind}`;
      const digest = await signed(layout, ...keylessly());
      expect(await verifyBlob(layout, digest, ...certificate(IDENTITY))).toMatchObject({ code: 0 });
      const refused = await verifyBlob(layout, digest, ...certificate(`${IDENTITY}x`));
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('identity')]);
    },
  );

  test.skipIf(reason)(
    `verifies the signature of its own key, and refuses another key${why(reason)}`,
    async () => {
      for (const name of [`own-${kind}`, `other-${kind}`]) {
        expect(await run('generate-key-pair', '--output-key-prefix', join(cwd, name))).toMatchObject({
          code: 0,
        });
      }
      const layout = `key-${kind}`;
      const digest = await signed(layout, '--key', `own-${kind}.key`);
      expect(await verifyBlob(layout, digest, ...key(`own-${kind}`), ...noRoot())).toMatchObject({ code: 0 });
      expect((await verifyBlob(layout, digest, ...key(`other-${kind}`), ...noRoot())).code).not.toBe(0);
    },
  );

  test.skipIf(reason)(
    `signs what drayage then accepts, and refuses for another commit${why(reason)}`,
    async () => {
      expect(
        await run('generate-key-pair', '--output-key-prefix', join(cwd, `theirs-${kind}`)),
      ).toMatchObject({ code: 0 });
      const layout = `theirs-${kind}`;
      const digest = await signed(layout, '--key', `theirs-${kind}.key`);
      const { dsseEnvelope } = JSON.parse(await readFile(await bundlePath(layout, digest), 'utf8')) as {
        dsseEnvelope: { payload: string };
      };
      const { predicate } = JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString()) as {
        predicate: unknown;
      };
      await writeFile(join(cwd, 'predicate.json'), JSON.stringify(predicate));
      const bundle = join(cwd, `${kind}.json`);
      const made = await run(
        'attest-blob',
        '--yes',
        '--key',
        join(cwd, `theirs-${kind}.key`),
        '--predicate',
        join(cwd, 'predicate.json'),
        ...TYPE,
        '--new-bundle-format',
        '--bundle',
        bundle,
        '--tlog-upload=false',
        ...(kind === 'sid' ? ['--use-signing-config=false'] : []),
        blob(layout, digest),
      );
      expect(made).toMatchObject({ code: 0 });
      await replaceSignature(layout, digest, await readFile(bundle));
      const policy = ['--key', `theirs-${kind}.pub`, '--expect-signed'];
      // The key is outside the workspace, as a variable of type File is.
      const job = { ...SIGNING_JOB, CI_PROJECT_DIR: join(cwd, layout) };
      const accepted = await drayage(['verify', layout, ...policy], { cwd, env: job });
      expect([accepted.code, accepted.stdout]).toEqual([
        0,
        expect.stringContaining('origin proven by signature'),
      ]);
      const env = { ...job, CI_COMMIT_SHA: 'b'.repeat(40) };
      expect(await drayage(['verify', layout, ...policy], { cwd, env })).toMatchObject({ code: 5 });
    },
  );
});

describe('cosign of sid, given the layout alone', () => {
  const reason = cosignSkipReason('sid');

  test.skipIf(reason)(`finds image and signature, and refuses another identity${why(reason)}`, async () => {
    await signed('local', ...keylessly());
    expect(await verifyLocal('local', ...certificate(IDENTITY))).toMatchObject({ code: 0 });
    const refused = await verifyLocal('local', ...certificate(IDENTITY.replace('main', 'other')));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('identity')]);
  });

  test.skipIf(reason)(`finds them in a copy${why(reason)}`, async () => {
    await signed('original', ...keylessly());
    expect(await drayage(['load', 'original', '--to', 'oci:copy'], { cwd, env: SIGNING_JOB })).toMatchObject({
      code: 0,
    });
    expect(await verifyLocal('copy', ...certificate(IDENTITY))).toMatchObject({ code: 0 });
  });
});

/** What is asked of a signature with a certificate. */
function certificate(identity: string): string[] {
  const root = join(cwd, 'root.json');
  const who = ['--certificate-identity', identity, '--certificate-oidc-issuer', ISSUER];
  return ['--trusted-root', root, ...who];
}

function key(name: string): string[] {
  return ['--key', join(cwd, `${name}.pub`), '--insecure-ignore-tlog=true'];
}

function noRoot(): string[] {
  return ['--trusted-root', join(cwd, 'no-root.json')];
}

/** Has the newer cosign find image and signature by itself. */
async function verifyLocal(layout: string, ...how: string[]): Promise<CommandResult> {
  const args = ['verify-attestation', '--local-image', join(cwd, layout), ...TYPE, ...how];
  return cosign('sid', args, { home: cwd });
}

/** Puts another bundle in the place of the one that is there. */
async function replaceSignature(path: string, digest: Digest, bundle: Buffer): Promise<void> {
  const layout = await Layout.open(join(cwd, path));
  const [{ root }] = await layout.resolve(digest);
  const [old] = await layout.referrers(root);
  await layout.update(async (content) => {
    if (old !== undefined) content.remove(old.digest);
    const { root: referrer, documents } = bundleReferrer(root, bundle, new Date());
    for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
    content.add(referrer, [], {});
  });
}

function why(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`;
}
