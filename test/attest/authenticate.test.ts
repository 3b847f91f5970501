import { beforeEach, expect, test } from 'vitest';
import { signaturePolicy } from '../../src/attest/authenticate.ts';
import { bundleReferrer } from '../../src/attest/referrer.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import type { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import { toDocument } from '../../src/oci/manifest.ts';
import { once } from '../../src/stream/tap.ts';
import { tempFolder } from '../layout/folders.ts';
import { addSample, sampleImage, sampleReferrer } from '../layout/sample-images.ts';
import { bytesOf, expected, keyBundle, keyPair, statement } from './bundles.ts';

const KEYS = keyPair();
const IMAGE = sampleImage(['a']);
const OTHER = sampleImage(['b']);
const COMMIT = expected({ commit: 'a'.repeat(40) });

let layout: Layout;
beforeEach(async () => {
  layout = await Layout.create(tempFolder());
  await layout.update(async (content) => {
    await addSample(content, IMAGE, ['app:1']);
    await addSample(content, OTHER, ['other:1']);
  });
});

const good = (digest = IMAGE.root.digest): Buffer =>
  bytesOf(keyBundle(KEYS.privateKey, statement(undefined, digest)));
const bad = (commit: string): Buffer =>
  bytesOf(
    keyBundle(
      KEYS.privateKey,
      statement((value) => {
        value.predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit = commit;
      }, IMAGE.root.digest),
    ),
  );

/** Attaches bundles to the image, each as a referrer of its own. */
async function attach(...bundles: Buffer[]): Promise<void> {
  await layout.update(async (content) => {
    for (const [i, bundle] of bundles.entries()) {
      const { root, documents } = bundleReferrer(IMAGE.root, bundle, new Date(i * 1000));
      for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
      content.add(root, [], {});
    }
  });
}

/** Why the image is refused; nothing where it is accepted. */
async function reason(expectation = COMMIT): Promise<unknown> {
  const image = await layout.resolve('app:1');
  const check = signaturePolicy(await loadTrust(KEYS), expectation);
  const error = (await check(image, layout).catch((thrown: unknown) => thrown)) as DrayageError | undefined;
  if (error !== undefined && error.code !== 'POLICY') throw error;
  return error?.facts.reason;
}

test('of several signatures any one that is accepted will do', async () => {
  await attach(bad('b'.repeat(40)), Buffer.from('{}'), good());
  expect(await reason()).toBeUndefined();
});

test('where none is accepted the most telling reason is given, and what each lacks is said', async () => {
  const sbom = statement((value) => (value.predicateType = 'https://spdx.dev/Document'), IMAGE.root.digest);
  await attach(bytesOf(keyBundle(KEYS.privateKey, sbom)), bad('b'.repeat(40)));
  const image = await layout.resolve('app:1');
  const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
  await expect(check(image, layout)).rejects.toMatchObject({
    message: expect.stringMatching(/none of its 2 signatures.*commit is b{40}/) as string,
    facts: { reason: 'COMMIT' },
  });
});

test('a signature of another image proves nothing of this one', async () => {
  await attach(good(OTHER.root.digest));
  expect(await reason()).toBe('SUBJECT');
});

test('an image without signatures is refused, and so is one with an artifact of another kind', async () => {
  expect(await reason()).toBe('UNSIGNED');
  await layout.update(async (content) => addSample(content, sampleReferrer(IMAGE.root)));
  expect(await reason()).toBe('UNSIGNED');
});

test('more signatures than anybody makes are not even read', async () => {
  await attach(...Array.from({ length: 17 }, () => good()));
  expect(await reason()).toBe('REFERRER_COUNT');
});

test('a referrer that is not one bundle is refused', async () => {
  const { root, documents } = bundleReferrer(IMAGE.root, good(), new Date(0));
  const [config, bundle, manifest] = documents;
  const value = JSON.parse(Buffer.from(manifest?.bytes ?? []).toString()) as { layers: unknown[] };
  const double = toDocument(
    root.mediaType,
    JSON.stringify({ ...value, layers: [value.layers[0], value.layers[0]] }),
  );
  await layout.update(async (content) => {
    for (const document of [config, bundle, double]) {
      if (document !== undefined) await content.put(document.descriptor, once(document.bytes));
    }
    content.add({ ...root, ...double.descriptor }, [], {});
  });
  expect(await reason()).toBe('REFERRER_DAMAGED');
});

test('a bundle larger than any is not read', async () => {
  await attach(Buffer.alloc(1024 * 1024 + 1, ' '));
  expect(await reason()).toBe('BUNDLE_SIZE');
});
