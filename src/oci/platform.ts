import { DrayageError } from '../errors.ts';

/** The platform of an image (OCI image-spec, image-index.md#image-index-property-descriptions). */
export interface Platform {
  /** Operating system, Go's name: `linux`. Empty if it is not stated. */
  os: string;
  /** CPU architecture, Go's name: `amd64`, `arm64`. Empty if it is not stated. */
  architecture: string;
  /** Variant of the architecture: `v7` of `arm`. */
  variant?: string | undefined;
  /** Version of the operating system (Windows). */
  'os.version'?: string | undefined;
}

/** The choice of one image of a multi-platform image. */
export interface PlatformOption {
  /** Only the image for this platform of each multi-platform image; default: all of its images. */
  platform?: Platform | undefined;
}

/** Other names of architectures; some include a variant. */
const ALIASES: ReadonlyMap<string, Pick<Platform, 'architecture' | 'variant'>> = new Map([
  ['x86_64', { architecture: 'amd64' }],
  ['x86-64', { architecture: 'amd64' }],
  ['x64', { architecture: 'amd64' }],
  ['aarch64', { architecture: 'arm64' }],
  ['armhf', { architecture: 'arm', variant: 'v7' }],
  ['armel', { architecture: 'arm', variant: 'v6' }],
  ['i386', { architecture: '386' }],
]);

/** The variants that every machine of an architecture has. */
const IMPLIED: ReadonlyMap<string, string> = new Map([
  ['amd64', 'v1'],
  ['arm64', 'v8'],
]);

/**
 * Parses `os/architecture[/variant]`, as `docker build --platform` takes it. Aliases (`x86_64`, `aarch64`) are
 * normalised, and `arm` alone is `arm/v7`.
 * @throws {@link DrayageError} `USAGE`
 */
export function parsePlatform(text: string): Platform {
  const [, os, architecture, variant] =
    /^([\w.-]+)\/([\w.-]+)(?:\/([\w.-]+))?$/.exec(text.toLowerCase()) ?? [];
  if (os === undefined || architecture === undefined) {
    throw new DrayageError('USAGE', `not a platform: ${JSON.stringify(text)}`, {
      expected: 'os/architecture or os/architecture/variant, such as linux/arm64',
    });
  }
  return withArmVariant(normalizePlatform({ os, architecture, ...(variant && { variant }) }));
}

/** Formats a platform as `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/** Whether an image for `have` satisfies `want`: a variant counts only if `want` names one. */
export function matchesPlatform(want: Platform, have: Platform): boolean {
  const wanted = normalizePlatform(want);
  const found = withArmVariant(normalizePlatform(have));
  return (
    wanted.os === found.os &&
    wanted.architecture === found.architecture &&
    (wanted.variant === undefined || wanted.variant === found.variant)
  );
}

/** Whether two images are for the same platform, so that one index could not list both. */
export function isSamePlatform(a: Platform, b: Platform): boolean {
  return matchesPlatform(a, b) && matchesPlatform(b, a) && a['os.version'] === b['os.version'];
}

/** Whether this is `unknown/unknown`, the platform of attestation manifests and other non-images. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' && platform.architecture === 'unknown';
}

/** Resolves aliases and drops implied variants, so that `arm64`, `aarch64` and `arm64/v8` are the same. */
function normalizePlatform(platform: Platform): Platform {
  const { variant: given, architecture: named, ...rest } = platform;
  const { architecture, variant: aliased } = ALIASES.get(named) ?? { architecture: named };
  const variant = given === undefined ? aliased : given.replace(/^\d/, 'v$&');
  return { ...rest, architecture, ...(variant && variant !== IMPLIED.get(architecture) && { variant }) };
}

/** An `arm` image without a variant is for `v7`. */
function withArmVariant(platform: Platform): Platform {
  return platform.architecture === 'arm' ? { variant: 'v7', ...platform } : platform;
}
