import type { Selection } from '../index.ts';
import { parsePlatform } from '../index.ts';
import type { Context } from './context.ts';
import type { ExpectOptions } from './expectations.ts';
import { readPolicy } from './expectations.ts';
import type { SignatureOptions, SignatureRequest } from './signature-options.ts';
import { readSignaturePolicy } from './signatures.ts';

/** The option that names images. */
export interface ImageOptions {
  image?: string[];
}

/** The option that takes one image of a multi-platform image. */
export interface PlatformOptions {
  platform?: string;
}

/** What a command requires of images besides the options. */
export interface SelectionRequest extends SignatureRequest {
  /** Whether images of other pipelines than the job's are refused without `--expect`, too. Default true. */
  ownPipeline?: boolean;
}

/**
 * Reads which images are meant, and what is required of them, before anything is opened.
 * @throws {@link DrayageError} as {@link readSignaturePolicy} and {@link readPolicy}
 */
export async function readSelection(
  options: ImageOptions & PlatformOptions & ExpectOptions & SignatureOptions,
  context: Context,
  { ownPipeline = true, ...request }: SelectionRequest = {},
): Promise<Selection> {
  const authenticate = await readSignaturePolicy(options, context, request);
  const isPolicy = ownPipeline || options.expect !== undefined;
  return {
    images: options.image,
    platform: readPlatform(options),
    policy: isPolicy ? readPolicy(options, context) : undefined,
    authenticate,
    signal: context.signal,
    onProgress: context.onProgress,
  };
}

/** @throws {@link DrayageError} `USAGE` */
export function readPlatform({ platform }: PlatformOptions): Selection['platform'] {
  return platform === undefined ? undefined : parsePlatform(platform);
}
