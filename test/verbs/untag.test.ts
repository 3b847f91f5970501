import { expect, onTestFinished, test } from 'vitest';
import { Registries } from '../../src/registry/registries.ts';
import { untag } from '../../src/verbs/untag.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { FakeRegistry } from '../support/fake-registry.ts';

test('tags of several registries are taken away, those that are not there are told', async () => {
  const bytes = Buffer.from('{}');
  const fakes = await Promise.all([FakeRegistry.start(), FakeRegistry.start({ deletes: 'manifests' })]);
  for (const fake of fakes) {
    const { manifests, tags } = fake.store.repository('app');
    manifests.set(digestOf(bytes), { mediaType: OCI_MANIFEST, bytes });
    for (const tag of ['pr-1', 'kept']) tags.set(tag, digestOf(bytes));
  }
  const registries = new Registries();
  onTestFinished(() => registries[Symbol.asyncDispose]());
  const references = fakes.flatMap(({ host }) => [`${host}/app:pr-1`, `${host}/app:pr-2`]);
  const { tags } = await untag({ references, registries });
  expect(tags).toEqual(references.map((ref) => ({ ref, status: ref.endsWith('1') ? 'removed' : 'absent' })));
  for (const fake of fakes) expect([...fake.store.repository('app').tags.keys()]).toEqual(['kept']);
});

test.each(['', `@${digestOf(Buffer.from('{}'))}`])(
  'what names no tag (app%s) takes none away, and none of the others',
  async (rest) => {
    const fake = await FakeRegistry.start();
    const registries = new Registries();
    onTestFinished(() => registries[Symbol.asyncDispose]());
    const references = [`${fake.host}/app:pr-1`, `${fake.host}/app${rest}`];
    await expect(untag({ references, registries })).rejects.toMatchObject({ code: 'USAGE' });
    expect(fake.seen).toEqual([]);
  },
);
