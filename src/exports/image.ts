/**
 * Images: what they lead to, reading, copying and changing them, over any place and any store.
 * @module drayage/image
 */
import '../disposal.ts';
export type { ImageIndex, ImagePlace, StoredImage } from '../content/image-index.ts';
export type { BlobWriter, ContentSink } from '../content/sink.ts';
export { writeBlob } from '../content/sink.ts';
export type { ContentOptions, ContentSource, OpenOptions } from '../content/source.ts';
export { chainSources } from '../content/source.ts';
export type { ImageStore, StoreTransaction } from '../content/store.ts';
export type { AttachedBlob, AttachOptions } from '../edit/attach.ts';
export { attach } from '../edit/attach.ts';
export type { AppendedLayer, ImageChanges, MutateOptions } from '../edit/mutate-image.ts';
export { mutateImage } from '../edit/mutate-image.ts';
export type { PutLayerOptions } from '../edit/put-layer.ts';
export { putLayer } from '../edit/put-layer.ts';
export type { ErrorCode, ErrorFacts } from '../errors.ts';
export { DrayageError, isDrayageError } from '../errors.ts';
export type { ContentsOptions, ImageContents, WalkNode, WalkOptions } from '../image/contents.ts';
export { contentsOf, walk } from '../image/contents.ts';
export type { CopiedBy, CopyImageOptions } from '../image/copy.ts';
export { copyImage } from '../image/copy.ts';
export type { ImageDocument } from '../image/documents.ts';
export type { Image, ReadImageOptions } from '../image/image.ts';
export { readImage } from '../image/image.ts';
export type { Layer } from '../image/layer.ts';
export { openLayer } from '../image/layer.ts';
export type { CodecName } from '../ingest/codec.ts';
export type { ExecutionConfig, Healthcheck } from '../oci/config.ts';
export type { Descriptor } from '../oci/descriptor.ts';
export type { Digest, DigestAlgorithm } from '../oci/digest.ts';
export type { Document, Manifest, ParsedDocument } from '../oci/manifest.ts';
export type { Platform } from '../oci/platform.ts';
export type { Expected } from '../stream/verified.ts';
export { verified } from '../stream/verified.ts';
