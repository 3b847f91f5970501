/**
 * Contracts of stores and places, with which other implementations prove theirs. For any test runner.
 * @module drayage/testing
 */
import '../disposal.ts';
export type { ContentSink } from '../content/sink.ts';
export type { ContentSource } from '../content/source.ts';
export type { ImageStore, StoreTransaction } from '../content/store.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from '../oci/digest.ts';
export type { PlaceUnderTest } from '../testing/content-contract.ts';
export { contentSinkContract, contentSourceContract } from '../testing/content-contract.ts';
export type { ContractCase } from '../testing/contract.ts';
export type { SampleImage } from '../testing/sample-images.ts';
export { addSample, sampleImage, sampleIndex, sampleReferrer } from '../testing/sample-images.ts';
export { imageStoreContract } from '../testing/store-contract.ts';
