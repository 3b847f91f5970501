import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { signaturePolicy } from '../../src/attest/authenticate.ts';
import { bundleReferrer } from '../../src/attest/referrer.ts';
import type { Provenance } from '../../src/attest/provenance.ts';
import { loadTrust } from '../../src/attest/trust.ts';
import type { StoredImage } from '../../src/content/image-index.ts';
import type { DrayageError } from '../../src/errors.ts';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { originOf } from '../../src/ci/origin.ts';
import { factsOf } from '../../src/select/facts.ts';
import { buildManifest, toDocument } from '../../src/oci/manifest.ts';
import { OCI_CONFIG, OCI_INDEX } from '../../src/oci/media-types.ts';
import { once } from '../../src/stream/tap.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { tempFolder } from '../layout/folders.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
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
async function reason(expectation = COMMIT, name = 'app:1'): Promise<unknown> {
  const [image] = await layout.resolve(name);
  const check = signaturePolicy(await loadTrust(KEYS), expectation);
  const error = await check(image, layout).then(
    () => undefined,
    (thrown: unknown) => thrown as DrayageError,
  );
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
  const [image] = await layout.resolve('app:1');
  const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
  await expect(check(image, layout)).rejects.toMatchObject({
    message: expect.stringMatching(/none of its 2 signatures.*commit is b{40}/) as string,
    facts: { reason: 'COMMIT' },
  });
});

test('a refused signature is never said to be accepted', async () => {
  await attach(bad('b'.repeat(40)));
  const [image] = await layout.resolve('app:1');
  const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
  await expect(check(image, layout)).rejects.toMatchObject({
    message: expect.stringMatching(/^app:1: its signature is not accepted: .*commit is b{40}/) as string,
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

describe('of more signatures than anybody makes', () => {
  const others = Array.from({ length: 20 }, (_, i) => bad(String(i % 10).repeat(40)));

  test('the newest are looked at, and it is said how many were not', async () => {
    await attach(good(), ...others);
    const [image] = await layout.resolve('app:1');
    const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
    await expect(check(image, layout)).rejects.toMatchObject({
      message: expect.stringMatching(/none of its 16 signatures.*; 5 more were not checked$/s) as string,
      facts: { reason: 'REFERRER_COUNT' },
    });
    await attach(...others, good());
    expect(await reason()).toBeUndefined();
  });

  test('the same one counts once', async () => {
    const same = bad('b'.repeat(40));
    await attach(good(), ...Array.from({ length: 40 }, () => same));
    expect(await reason()).toBeUndefined();
  });
});

/** A signature of an image that had these names. */
const named = (names: unknown, digest = IMAGE.root.digest): Buffer =>
  bytesOf(
    keyBundle(
      KEYS.privateKey,
      statement((value) => {
        value.predicate.buildDefinition.externalParameters.imageRefs = names;
      }, digest),
    ),
  );

describe('the names of an image', () => {
  test('are those that were signed: two signed images cannot change theirs', async () => {
    await attach(good());
    await layout.update(async (content) => {
      content.add(OTHER.root, ['app:1'], {});
      content.add(IMAGE.root, ['other:1'], {});
    });
    const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
    const [image] = await layout.resolve('other:1');
    await expect(check(image, layout)).rejects.toMatchObject({
      message: 'other:1 is not what was signed: that image was signed as app:1',
      facts: { reason: 'NAME', accepting: { name: ['other:1'] } },
    });
  });

  test('count also where they are the word of another tool by which an image is asked for', async () => {
    await attach(named([]));
    await layout.update(async (content) => content.remove('app:1'));
    const path = join(layout.path, 'index.json');
    const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: Descriptor[] };
    index.manifests.push({ ...IMAGE.root, annotations: { 'org.opencontainers.image.ref.name': 'app' } });
    await writeFile(path, JSON.stringify(index));
    expect(await reason(expected(), 'app')).toBe('NAME');
    expect(await reason(expected({ name: 'app' }), 'app')).toBeUndefined();
    expect(await reason(expected(), IMAGE.root.digest)).toBeUndefined();
  });

  test('may be several, of several signatures', async () => {
    await attach(named(['app:1']), named(['registry.example/app:2', 'app:3']));
    await layout.update(async (content) => content.add(IMAGE.root, ['registry.example/app:2'], {}));
    expect(await reason()).toBeUndefined();
    await layout.update(async (content) => content.add(IMAGE.root, ['app:4'], {}));
    expect(await reason()).toBe('NAME');
    expect(await reason(expected({ name: 'docker.io/library/app:4' }))).toBeUndefined();
    expect(await reason(expected({ name: 'any' }))).toBeUndefined();
  });

  test('are covered by nothing where no statement speaks of them, and of a statement of ours they have to be there', async () => {
    const foreign = statement((value) => {
      value.predicate.buildDefinition.buildType = 'https://mobyproject.org/buildkit@v1';
    }, IMAGE.root.digest);
    await attach(bytesOf(keyBundle(KEYS.privateKey, foreign)));
    const told: Provenance[] = [];
    const note = (_: StoredImage, provenance: Provenance): void => void told.push(provenance);
    const check = signaturePolicy(await loadTrust(KEYS), expected(), note);
    await check((await layout.resolve('app:1'))[0], layout);
    expect(told).toMatchObject([{ names: null }]);
    await layout.update(async (content) => {
      for (const { digest } of await layout.referrers(IMAGE.root)) content.remove(digest);
    });
    await attach(named(undefined));
    expect(await reason()).toBe('PREDICATE');
  });
});

/** What BuildKit lists beside an image: a manifest that is none. It names other content as its layer, or as its config. */
function attestation(content: Descriptor, as: 'layer' | 'config' = 'layer'): SampleImage {
  const text = Buffer.from('{}');
  const attested = describeBytes(text, 'application/vnd.in-toto+json');
  const config =
    as === 'config' ? { ...content, mediaType: OCI_CONFIG } : { ...attested, mediaType: OCI_CONFIG };
  const layer = { ...(as === 'layer' ? content : attested), mediaType: attested.mediaType };
  const { descriptor, bytes } = buildManifest(config, [layer]);
  const blobs: SampleImage['blobs'] = [
    [attested, text],
    [descriptor, bytes],
  ];
  return { root: descriptor, config, layers: [layer], diffIds: [], blobs };
}

/** A signature that a run of the job made. */
const ranAs = (run: string, digest: Digest): Buffer => {
  const of = statement((value) => {
    const { metadata } = value.predicate.runDetails;
    metadata.invocationId = metadata.invocationId.replace(/\d+$/, run);
  }, digest);
  return bytesOf(keyBundle(KEYS.privateKey, of));
};
const runOfIndex = async (): Promise<unknown> => {
  const [image] = await layout.resolve('app:1');
  const vouchers = await signaturePolicy(await loadTrust(KEYS), COMMIT)(image, layout);
  const { origin = {} } = factsOf(image, vouchers) ?? {};
  return originOf(origin).jobId;
};

describe('an index', () => {
  const ARM = sampleImage(['c'], 'arm64');
  const INDEX = sampleIndex([IMAGE, ARM]);

  /** Adds an index as `app:1`, with what refers to it or to its parts. */
  async function addIndex(index: SampleImage, ...bundles: [Descriptor, Buffer][]): Promise<void> {
    await layout.update(async (content) => {
      content.remove('app:1');
      await addSample(content, ARM);
      await addSample(content, index, ['app:1']);
      for (const [subject, bundle] of bundles) {
        const { root, documents } = bundleReferrer(subject, bundle, new Date(0));
        for (const { descriptor, bytes } of documents) await content.put(descriptor, once(bytes));
        content.add(root, [], {});
      }
    });
  }

  test('passes by the signatures of all that it lists, which vouch for it', async () => {
    await addIndex(INDEX, [IMAGE.root, good()], [ARM.root, good(ARM.root.digest)]);
    const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
    const vouchers = await check((await layout.resolve('app:1'))[0], layout);
    expect(vouchers).toHaveLength(2);
  });

  test('counts as the run that signed it, whatever later run signed a part of it', async () => {
    const { digest } = INDEX.root;
    await addIndex(INDEX, [INDEX.root, ranAs('5', digest)], [ARM.root, ranAs('9', ARM.root.digest)]);
    expect(await runOfIndex()).toBe('5');
  });

  test.each([
    ['5', '9'],
    ['9', '5'],
  ])('counts as the earliest run of those that signed its parts: %s, %s', async (...runs) => {
    await addIndex(
      INDEX,
      [IMAGE.root, ranAs(runs[0], IMAGE.root.digest)],
      [ARM.root, ranAs(runs[1], ARM.root.digest)],
    );
    expect(await runOfIndex()).toBe('5');
  });

  test('does not where one of them is not signed, of another name, or not there', async () => {
    await addIndex(INDEX, [IMAGE.root, good()]);
    expect(await reason()).toBe('UNSIGNED');
    await addIndex(INDEX, [IMAGE.root, good()], [ARM.root, named(['arm:1'], ARM.root.digest)]);
    expect(await reason()).toBe('NAME');
    const absent = { ...ARM.root, digest: digestOf(Buffer.from('elsewhere')) };
    await addIndex(sampleIndex([IMAGE], [absent]), [IMAGE.root, good()]);
    expect(await reason()).toBe('UNSIGNED');
  });

  describe('that is not signed, with an image that is not signed either,', () => {
    const SIGNED: [Descriptor, Buffer] = [ARM.root, good(ARM.root.digest)];
    const NOBODY = { os: 'unknown', architecture: 'unknown' };
    const HERE = { os: 'linux', architecture: 'amd64' };
    const OF_NOBODY = { ...IMAGE.root, platform: NOBODY };
    const OF_HERE = { ...IMAGE.root, platform: HERE };
    const INNER = sampleIndex([IMAGE]);
    const ABSENT = { ...IMAGE.root, digest: digestOf(Buffer.from('elsewhere')) };

    test.each<[string, SampleImage, Descriptor[]]>([
      ['is refused', ARM, [OF_HERE]],
      ['is refused, where no platform is stated', ARM, [IMAGE.root]],
      ['is refused, where it is for no platform and for one', ARM, [OF_NOBODY, OF_HERE]],
      ['is refused, where it is for one and for no platform', ARM, [OF_HERE, OF_NOBODY]],
      ['is refused, where it is for no platform and does not say', ARM, [OF_NOBODY, IMAGE.root]],
      ['is refused, where it is for no platform and holds layers of an image', ARM, [OF_NOBODY]],
      [
        'is refused, where its platform is known by half',
        ARM,
        [{ ...OF_HERE, platform: { ...HERE, os: 'unknown' } }],
      ],
      ['is refused, where a layer goes by its digest before', attestation(OF_HERE), [OF_HERE]],
      ['is refused, where a config goes by its digest before', attestation(OF_HERE, 'config'), [OF_HERE]],
      [
        'is refused, where an index lists it that is for no platform',
        ARM,
        [{ ...INNER.root, platform: NOBODY }],
      ],
      [
        'is refused, where a layer goes by the digest of the index that lists it',
        attestation(INNER.root),
        [INNER.root],
      ],
      ['is refused, where it is not there', ARM, [{ ...ABSENT, platform: HERE }]],
      [
        'is refused, where it is not there under two platforms',
        ARM,
        [{ ...ABSENT, platform: NOBODY }, ABSENT],
      ],
      [
        'is refused, where an index is not there',
        ARM,
        [{ ...ABSENT, mediaType: OCI_INDEX, platform: NOBODY }],
      ],
    ])('%s', async (_, before, listed) => {
      await layout.update(async (content) => addSample(content, INNER));
      const attested = before === ARM ? [] : [{ ...before.root, platform: NOBODY }];
      const value = toDocument(
        OCI_INDEX,
        JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_INDEX,
          manifests: [...attested, ...listed, ARM.root],
        }),
      );
      const blobs: SampleImage['blobs'] = [...before.blobs, ...ARM.blobs, [value.descriptor, value.bytes]];
      await addIndex({ ...ARM, root: value.descriptor, blobs }, SIGNED);
      expect(await reason()).toBe('UNSIGNED');
    });
  });

  test('that is not signed passes with attestations, there or not', async () => {
    const platform = { os: 'unknown', architecture: 'unknown' };
    const attested = attestation(describeBytes(Buffer.from('{}'), 'application/vnd.in-toto+json'));
    const absent = { ...attested.root, digest: digestOf(Buffer.from('elsewhere')), platform };
    const index = sampleIndex([ARM], [{ ...attested.root, platform }, absent]);
    const blobs = [...attested.blobs, ...index.blobs];
    await addIndex({ ...index, blobs }, [ARM.root, good(ARM.root.digest)]);
    expect(await reason()).toBeUndefined();
  });

  test('that is not signed does not pass with more children than anybody looks at', async () => {
    const platform = { os: 'unknown', architecture: 'unknown' };
    const absent = { ...ARM.root, digest: digestOf(Buffer.from('elsewhere')), platform };
    const signed: [Descriptor, Buffer] = [ARM.root, good(ARM.root.digest)];
    await addIndex(
      sampleIndex(
        [ARM],
        Array.from({ length: 255 }, () => absent),
      ),
      signed,
    );
    expect(await reason()).toBeUndefined();
    await addIndex(
      sampleIndex(
        [ARM],
        Array.from({ length: 256 }, () => absent),
      ),
      signed,
    );
    expect(await reason()).toBe('UNSIGNED');
  });

  test('that is signed vouches for an image that is chosen out of it', async () => {
    await addIndex(INDEX, [INDEX.root, good(INDEX.root.digest)]);
    await layout.update(async (content) => content.remove(ARM.root.digest));
    const check = signaturePolicy(await loadTrust(KEYS), COMMIT);
    const [image] = await layout.resolve(ARM.config.digest);
    expect(image.root.digest).toBe(ARM.root.digest);
    expect(await check(image, layout)).toHaveLength(1);
  });
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
