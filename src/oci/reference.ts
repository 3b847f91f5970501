import { DrayageError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { digestHex, isDigest } from './digest.ts';

/** A parsed image reference. */
export interface Reference {
  /** Registry host, with its port if it has one: `docker.io`, `localhost:5000`. */
  domain: string;
  /** Repository path: `library/temp`. */
  path: string;
  tag?: string | undefined;
  digest?: Digest | undefined;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';
const MAX_PATH_LENGTH = 255;

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?$/;
const IPV6_DOMAIN = /^\[[0-9a-fA-F:]+\](?::\d+)?$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const BARE_ID = /^[0-9a-f]{64}$/;
const LIKE_DIGEST = /^(?:(?:index\.)?docker\.io\/)?(?:library\/)?sha(?:256|512):|^[0-9a-f]{64}$/;

/**
 * Parses an image reference as docker does: `temp` is `docker.io/library/temp`. Adds no tag.
 * @throws {@link DrayageError} `USAGE`
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  const { domain, path } = splitDomain(name);
  const valid =
    (DOMAIN.test(domain) || IPV6_DOMAIN.test(domain)) &&
    PATH.test(path) &&
    !BARE_ID.test(text) &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || isDigest(digest)) &&
    path.length <= MAX_PATH_LENGTH;
  if (!valid) throw invalid(text);
  return {
    domain,
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** Whether `text` is an image reference. */
export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** The reference, with the tag `latest` if it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference;
}

/** The short form that docker shows: `temp:latest`. */
export function familiarReference(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

/** The full form: `docker.io/library/temp:latest`. */
export function normalizedReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The repository in the short form that docker shows: `temp`, `group/temp`, `localhost:5000/temp`. */
export function familiarRepository({ domain, path }: Reference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const short = path.startsWith(OFFICIAL) ? path.slice(OFFICIAL.length) : path;
  return short.includes('/') && path.startsWith(OFFICIAL) ? path : short;
}

/**
 * The familiar form with a tag, of a name in any spelling: `temp`, `docker.io/library/temp:latest` -> `temp:latest`.
 * @throws {@link DrayageError} `USAGE`
 */
export function normalizeName(text: string): string {
  return familiarReference(withDefaultTag(parseReference(text)));
}

/** Whether `text` is an image ID, full or short, with or without its algorithm. A short one may also be a name. */
export function looksLikeImageId(text: string): boolean {
  return /^(?:sha256:[0-9a-f]{7,64}|[0-9a-f]{12,64})$/.test(text);
}

/** Whether `text` is this image ID, full or short. */
export function isIdOf(text: string, id: Digest): boolean {
  return looksLikeImageId(text) && digestHex(id).startsWith(text.replace(/^sha256:/, ''));
}

/**
 * Whether a text that stands for a name reads as a digest or an ID, whatever its hex: `sha256:…`. Docker gives no image the
 * name of a digest's algorithm, because a person and a program would take it for another image.
 */
export function readsAsDigest(text: string): boolean {
  return LIKE_DIGEST.test(text);
}

/** The familiar name of `text`, with its tag; undefined if it is not a name, has a digest, or reads as one. */
export function taggedName(text: string): string | undefined {
  if (!isReference(text) || parseReference(text).digest !== undefined) return undefined;
  const name = normalizeName(text);
  return readsAsDigest(name) ? undefined : name;
}

/**
 * The familiar names among texts that come from data, each once. Data is not a request: what cannot be a name is skipped.
 * @param onOther gets each text that is not a name, has a digest, or reads as one
 */
export function namesAmong(texts: readonly string[], onOther?: (text: string) => void): string[] {
  const names = new Set<string>();
  for (const text of texts) {
    const name = taggedName(text);
    if (name === undefined) onOther?.(text);
    else names.add(name);
  }
  return [...names];
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function splitReference(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  return {
    name: hasTag ? rest.slice(0, colon) : rest,
    ...(hasTag && { tag: rest.slice(colon + 1) }),
    ...(digest !== undefined && { digest }),
  };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (slash < 0 || !isDomain) return official(DEFAULT_DOMAIN, name);
  const path = name.slice(slash + 1);
  if (first === DEFAULT_DOMAIN || first === LEGACY_DOMAIN) return official(DEFAULT_DOMAIN, path);
  return { domain: first, path };
}

function official(domain: string, path: string): { domain: string; path: string } {
  return { domain, path: path.includes('/') ? path : OFFICIAL + path };
}

/** A URL that was given as a reference may contain a password. */
function withoutUser(text: string): string {
  return text.replace(/(^|\/\/)[^/@]*@(?!sha(?:256|512):)/i, '$1***@');
}

function invalid(text: string): DrayageError {
  const lower = text.toLowerCase();
  const hint =
    lower !== text && isReference(lower) ? 'repository names and digests are lower case' : undefined;
  return new DrayageError(
    'USAGE',
    `not an image reference: ${JSON.stringify(withoutUser(text).slice(0, 300))}`,
    {
      hint,
    },
  );
}
