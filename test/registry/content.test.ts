import type { ContentSink } from '../../src/content/sink.ts';
import type { ContentSource } from '../../src/content/source.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { RegistryOptions } from '../../src/registry/api.ts';
import type { PlaceUnderTest } from '../../src/testing/content-contract.ts';
import { contentSinkContract, contentSourceContract } from '../contract/content.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistryOptions } from '../support/fake-registry-store.ts';
import { registryOf } from './registries.ts';

/** A repository of a registry of this kind that holds blobs. */
function repositoryOf(
  options: FakeRegistryOptions,
  client: RegistryOptions = {},
): (
  blobs: Uint8Array[],
  damaged?: [Descriptor, Uint8Array][],
) => Promise<PlaceUnderTest<ContentSource & ContentSink>> {
  return async (blobs, damaged = []) => {
    const fake = await FakeRegistry.start(options);
    const held = fake.store.repository('group/app').blobs;
    for (const bytes of blobs) held.set(digestOf(bytes), Buffer.from(bytes));
    for (const [{ digest }, bytes] of damaged) held.set(digest, Buffer.from(bytes));
    return { place: registryOf(fake, client).repository('group/app') };
  };
}

contentSourceContract('a repository', repositoryOf({}));
contentSourceContract('a repository with storage elsewhere', repositoryOf({ redirect: true, auth: 'token' }));
contentSourceContract('a repository for those with a password', repositoryOf({ auth: 'basic' }));

contentSinkContract('a repository', repositoryOf({ auth: 'token' }));
contentSinkContract('a repository that takes pieces only', repositoryOf({ chunkedOnly: true }));
contentSinkContract('a repository, by small pieces', repositoryOf({}, { chunkSize: 100_000 }));
contentSinkContract(
  'a repository that wants larger pieces',
  repositoryOf({ minChunk: 300_000 }, { chunkSize: 1000 }),
);
