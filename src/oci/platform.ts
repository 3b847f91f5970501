import * as v from 'valibot';
import { DrayageError } from '../errors.ts';

/** What an image runs on (OCI image-spec, image-index.md#image-index-property-descriptions). */
export interface Platform {
  /** Operating system, Go's name: `linux`. */
  os: string;
  /** CPU architecture, Go's name: `amd64`, `arm64`. */
  architecture: string;
  /** Variant of the architecture: `v7` of `arm`. */
  variant?: string | undefined;
  /** Version of the operating system (Windows). */
  'os.version'?: string | undefined;
}

/** Schema of a platform inside a document. */
export const platformSchema: v.GenericSchema<unknown, Platform> = v.looseObject({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string()),
  'os.version': v.optional(v.string()),
});

const ARCHITECTURES: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
  x64: 'amd64',
};

/**
 * Reads `os/architecture[/variant]`, as `docker build --platform` takes it. Aliases (`x86_64`, `aarch64`) are normalised.
 * @throws {@link DrayageError} `USAGE`
 */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.toLowerCase().split('/');
  if (!os || !architecture || variant === '' || rest.length > 0) {
    throw new DrayageError('USAGE', `not a platform: ${JSON.stringify(text)}`, {
      expected: 'os/architecture or os/architecture/variant, such as linux/arm64',
    });
  }
  return normalizePlatform({ os, architecture, ...(variant && { variant }) });
}

/** Writes a platform as `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/** Whether an image for `have` is what was meant by `want`: a variant counts only where `want` names one. */
export function matchesPlatform(want: Platform, have: Platform): boolean {
  const wanted = normalizePlatform(want);
  const found = normalizePlatform(have);
  return (
    wanted.os === found.os &&
    wanted.architecture === found.architecture &&
    (wanted.variant === undefined || wanted.variant === found.variant)
  );
}

/** Whether this is the `unknown/unknown` that attestation manifests and other non-images carry. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' || platform.architecture === 'unknown';
}

/** Drops the variants that every such machine has, so that `arm64` and `arm64/v8` are the same. */
function normalizePlatform(platform: Platform): Platform {
  const architecture = ARCHITECTURES[platform.architecture] ?? platform.architecture;
  const implied = { arm64: 'v8', amd64: 'v1' }[architecture];
  const { variant, ...rest } = platform;
  const named = architecture === 'arm' && variant === undefined ? 'v7' : variant;
  return { ...rest, architecture, ...(named && named !== implied && { variant: named }) };
}
