import type { Build, ImagePolicy, SignOptions, SignResult, SignStatement } from '../index.ts';
import {
  DrayageError,
  isLoopback,
  keylessSigner,
  keySigner,
  loadPrivateKey,
  ownImages,
  provenanceOfBuild,
  readIdentityToken,
  sign,
} from '../index.ts';
import { ciOf, jobSecretOf, knownCis, readBuild } from './ci.ts';
import type { Context } from './context.ts';
import { parseExpectations } from './expectations.ts';
import { version } from './version.ts';
import { readGiven } from './given-file.ts';
import { interpretGiven } from './interpret-given.ts';

/** The options for signing. */
export interface SigningOptions {
  key?: string;
  keyless?: boolean;
  fulcioUrl?: string;
  rekorUrl?: string;
  tsaUrl?: string;
  publicSigstore?: boolean;
  /** The accepted origin in the images' annotations. */
  expect?: string[];
}

/**
 * Signs images of a layout; those that this job may sign, unless another `policy` is given. Otherwise the options say where omitted
 * layers are, and whose word is taken for them.
 */
type SignImages = (
  layout: SignOptions['layout'],
  images: readonly string[] | undefined,
  options: Pick<SignOptions, 'policy' | 'others' | 'bases' | 'baseJobs' | 'openJob' | 'openRepository'>,
) => Promise<SignResult>;

/** Everything needed to sign. */
export interface Signing {
  /** Which images this job may sign. */
  policy: ImagePolicy;
  /** As `policy`, for a folder that may hold what was there before the job: the job must have written it, if it can tell. */
  sealed: ImagePolicy;
  sign: SignImages;
}

const PUBLIC_FULCIO = 'https://fulcio.sigstore.dev';
const PUBLIC_REKOR = 'https://rekor.sigstore.dev';
const FOR_EVER =
  'the public log keeps for ever, for everybody to read: this server and project, the ref and commit, the address of this job, and the image’s digest';

/**
 * Prepares signing: every mistake in the request, the key or the token is found now, before an image is saved.
 * @throws {@link DrayageError} `USAGE`, `NOT_FOUND`, `MALFORMED`, `UNSUPPORTED`
 */
export async function prepareSigning(options: SigningOptions, context: Context): Promise<Signing> {
  const { signal, onProgress } = context;
  const build = assertBuild(context);
  const others = parseExpectations(options.expect);
  const policy = ownImages(build.origin, others);
  const sealed = ownImages(build.origin, others, jobSecretOf(context.env));
  const signStatement = await openSigner(options, context);
  const signImages: SignImages = (layout, images, given) =>
    sign({
      policy,
      ...given,
      layout,
      images,
      statement: provenanceOfBuild(build, { version: version() }),
      sign: signStatement,
      now: new Date(),
      signal,
      onProgress,
    });
  return { policy, sealed, sign: signImages };
}

function assertBuild({ env }: Context): Build {
  const build = readBuild(env);
  if (build !== undefined) return build;
  throw new DrayageError(
    'USAGE',
    `a signature says which job built an image, and this is not a ${knownCis} job`,
    {
      hint: 'sign in the job that builds; elsewhere use cosign attest, which signs any statement',
    },
  );
}

async function openSigner(options: SigningOptions, context: Context): Promise<SignStatement> {
  const { key, keyless, publicSigstore, fulcioUrl } = options;
  const wantsCertificate = keyless === true || publicSigstore === true || fulcioUrl !== undefined;
  if ((key !== undefined) === wantsCertificate) {
    throw new DrayageError(
      'USAGE',
      key === undefined ? 'no key given, and no --keyless' : 'both --key and --keyless given',
      {
        hint: 'use --key FILE, or --keyless with --fulcio-url URL or --public-sigstore',
      },
    );
  }
  assertAddresses(options);
  return key === undefined ? openKeyless(options, context) : openKey(key, options, context);
}

async function openKey(path: string, options: SigningOptions, { env }: Context): Promise<SignStatement> {
  const pem = await readGiven(path, 'the private key', { isSecret: true });
  const privateKey = await interpretGiven({ path, option: '--key' }, () =>
    loadPrivateKey(pem.toString(), env['COSIGN_PASSWORD']),
  );
  return keySigner({ privateKey, rekorUrl: options.rekorUrl, tsaUrl: options.tsaUrl });
}

/** The services that a signature is made with; undefined for those that are not used. */
export function servicesOf({ fulcioUrl, rekorUrl, tsaUrl, publicSigstore }: SigningOptions): {
  fulcioUrl: string | undefined;
  rekorUrl: string | undefined;
  tsaUrl: string | undefined;
} {
  if (publicSigstore !== true) return { fulcioUrl, rekorUrl, tsaUrl };
  return { fulcioUrl: fulcioUrl ?? PUBLIC_FULCIO, rekorUrl: rekorUrl ?? PUBLIC_REKOR, tsaUrl };
}

function openKeyless(options: SigningOptions, { env, onProgress }: Context): SignStatement {
  const { fulcioUrl, ...others } = servicesOf(options);
  if (fulcioUrl === undefined) {
    throw new DrayageError('USAGE', 'no certificate authority given: --fulcio-url is missing', {
      hint: `name your own instance; or use the public one with --public-sigstore: ${FOR_EVER}`,
    });
  }
  const token = readIdentityToken(env['SIGSTORE_ID_TOKEN'], new Date(), ciOf(env)?.tokenHint);
  if (options.publicSigstore === true) onProgress({ kind: 'note', message: FOR_EVER });
  return keylessSigner({ fulcioUrl, ...others, token });
}

function assertAddresses({ fulcioUrl, rekorUrl, tsaUrl }: SigningOptions): void {
  for (const [option, text] of Object.entries({
    'fulcio-url': fulcioUrl,
    'rekor-url': rekorUrl,
    'tsa-url': tsaUrl,
  })) {
    if (text === undefined) continue;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      // The address may contain a password.
      throw new DrayageError('USAGE', `--${option} is not an address`, {
        hint: 'an example: https://sigstore.example',
      });
    }
    const isHere = isLoopback(url);
    if (option !== 'fulcio-url' || url.protocol === 'https:' || isHere) continue;
    throw new DrayageError('USAGE', `--fulcio-url at ${url.host} would get the identity token unencrypted`, {
      hint: 'use https',
    });
  }
}
