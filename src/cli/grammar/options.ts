import { InvalidArgumentError } from 'commander';
import type { BaseJobOptions } from '../base-jobs.ts';
import type { CacheOptions } from '../cache.ts';
import type { JobOptions } from '../job-query.ts';
import type { LockTimeoutOptions } from '../places.ts';
import type { RegistryCommandOptions } from '../registries.ts';
import type { VariableOptions } from '../reports.ts';
import type { SignatureOptions } from '../signature-options.ts';
import type { SigningOptions } from '../signing.ts';
import type { OptionRow, Options } from './command.ts';

const REGISTRY_HOST = /^(?:\[[a-f\d:]+\]|[a-z\d-]+(?:\.[a-z\d-]+)*)(?::\d{1,5})?$/i;

/**
 * Parses a whole number.
 * @throws `InvalidArgumentError`
 */
export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

/**
 * Collects hosts of registries, as references name them. A variable holds several, with spaces between them.
 * @throws `InvalidArgumentError` if one is not a host, such as the next argument after an option without its value
 */
function collectHosts(value: string, before: readonly string[] = []): string[] {
  const hosts = value.split(/\s+/).filter((host) => host !== '');
  if (hosts.length > 0 && hosts.every(isHost)) return [...before, ...hosts];
  throw new InvalidArgumentError('It must be the host of a registry, such as registry.example:5000.');
}

/**
 * Takes the only value. The last of several would silently replace the others.
 * @throws `InvalidArgumentError` if there is another one before it
 */
function onlyOne(value: string, before: unknown): string {
  if (before === undefined || before === value) return value;
  throw new InvalidArgumentError('It may be given once.');
}

/** Without a dot or a port it would be a repository of Docker Hub. */
function isHost(text: string): boolean {
  return REGISTRY_HOST.test(text) && (/[.:]/.test(text) || text === 'localhost');
}

// Options of more than one command.

export const IMAGE: OptionRow<'image', string[]> = [
  '-i, --image <name...>',
  'only these images: names, digests or IDs',
];

/** @param what it does with the image for the platform */
export const platformOption = (what: string): OptionRow<'platform', string> => [
  '--platform <platform>',
  `${what} only the image for this platform of a multi-platform image`,
  { parse: onlyOne },
];

export const HOST: OptionRow<'host', string> = [
  '--host <address>',
  'the daemon: unix:///…, tcp://… or ssh://…; default $DOCKER_HOST, $DOCKER_CONTEXT, the current context, the local socket',
];

export const BASE: OptionRow<'base', string[]> = [
  '--base <ref...>',
  'trust this base image: its layers are not read where the layout omits them',
  { is: 'reference' },
];

export const BASE_JOB: OptionRow<'baseJob', string[]> = [
  '--base-job <name...>',
  "trust this earlier job's artifact: its layers are not read where the layout omits them; none for no base",
];

/** Options that name the pipeline of a base job. */
export const JOB_OF_BASE: Options<Omit<BaseJobOptions, 'baseJob'>> = {
  ref: ['--ref <name...>', 'branches of the base job; default $CI_DEFAULT_BRANCH', { skipsEmpty: true }],
  project: ['--project <id>', 'the project of the base job; default $CI_PROJECT_ID'],
  pipeline: ['--pipeline <id>', 'the pipeline of the base job', { conflicts: 'ref' }],
};

export const OFFLINE: OptionRow<'offline', boolean> = [
  '--offline',
  'never ask a registry for omitted layers',
];

/** Options of commands that change a layout. */
export const LOCK: Options<LockTimeoutOptions> = {
  lockTimeout: [
    '--lock-timeout <time>',
    'how long to wait for another process that changes the layout, such as 5m; default 60s',
    { is: 'time' },
  ],
};

/** Options of what writes variables. */
export const VARIABLES: Options<VariableOptions> = {
  env: [
    '--env <key...>',
    'write a further variable, KEY or KEY=IMAGE: the reference; for KEY_DIGEST the digest, for KEY_ID the ID',
    { is: 'variable' },
  ],
};

/** Options of commands that use registries. */
export const REGISTRY: Options<RegistryCommandOptions> = {
  ca: ['--ca <file>', 'also trust these certificate authorities', { is: 'authorities' }],
  plainHttp: [
    '--plain-http <host[:port]...>',
    'use plain http with this registry, even outside the loopback',
    { parse: collectHosts },
  ],
  registries: [
    '--registries <host[:port]...>',
    'registries that may be asked for base images, besides docker.io, those of the CI and those of docker login',
    { parse: collectHosts },
  ],
};

/** Options of commands that keep blobs. */
export const CACHE: Options<CacheOptions> = {
  cache: ['--cache <dir>', 'keep blobs in this folder, which outlives the job'],
  cacheScope: [
    '--cache-scope <scope>',
    'which projects share the cache; default project',
    { choices: ['project', 'shared'], needs: 'cache' },
  ],
  cacheSize: [
    '--cache-size <size>',
    'the maximum size of the cache, such as 20GB; default 10 GiB',
    { is: 'size', needs: 'cache' },
  ],
};

/** Options of commands that read a job's artifact. */
export const JOB: Options<JobOptions> = {
  job: ['--job <name>', 'read the artifact of this job of this pipeline', { conflicts: 'jobId' }],
  jobId: ['--job-id <id>', 'read the artifact of the job with this ID', { conflicts: ['pipeline', 'ref'] }],
  project: ['--project <id>', 'the project of the job, its ID or path; default $CI_PROJECT_ID'],
  pipeline: ['--pipeline <id>', 'the pipeline of the job; default $CI_PIPELINE_ID', { conflicts: 'ref' }],
  ref: ['--ref <name>', 'the latest successful pipeline of this branch or tag'],
};

/** Options of commands that sign. */
export const SIGNING: Options<SigningOptions> = {
  key: ['--key <file>', 'sign with this private key: PEM, or cosign.key and $COSIGN_PASSWORD'],
  keyless: ['--keyless', "sign with this job's identity, by the token in $SIGSTORE_ID_TOKEN"],
  fulcioUrl: ['--fulcio-url <url>', 'the certificate authority of your own sigstore'],
  rekorUrl: ['--rekor-url <url>', 'the transparency log that signatures are entered into'],
  tsaUrl: ['--tsa-url <url>', 'the timestamp authority'],
  publicSigstore: [
    '--public-sigstore',
    'use the public certificate authority and log, which publish the signature for ever',
  ],
  expect: [
    '--expect <key=value...>',
    'also sign images of another origin than this job: KEY=V[,V], KEY=any, none',
  ],
};

/** Options of commands that check the origin and signature of images. */
export const SIGNATURE: Options<Omit<SignatureOptions, keyof JobOptions>> = {
  expect: [
    '--expect <key=value...>',
    'expect another origin than this pipeline and commit: KEY=V[,V], KEY=any, none',
  ],
  expectSigned: ['--expect-signed', 'refuse images without a signature of this project and commit'],
  trustedRoot: [
    '--trusted-root <file>',
    'the trusted certificates, logs and timestamp authorities (trusted_root.json): a file, FILE@sha256:HEX, or the text',
  ],
  key: ['--key <file>', 'the public keys of accepted signers as PEM: a file, FILE@sha256:HEX, or the text'],
  identity: ['--identity <identity...>', 'an accepted signer, exactly as in the certificate'],
  identityRegexp: [
    '--identity-regexp <pattern>',
    'a pattern for accepted signers, which must match the whole identity',
  ],
  issuer: ['--issuer <url>', 'the issuer of the identity: for GitLab, the address of the instance'],
};
