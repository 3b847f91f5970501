import type { DaemonIdentity, LastingEndpoint, ReferredImage } from '../content/endpoint.ts';
import type { ContentOptions } from '../content/source.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { REVISION } from '../oci/annotations.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { ImageReference } from './reference.ts';
import { daemonTitle } from './reference.ts';

const HINT = 'run this job on the runner of that daemon, or build the image again with its layers';

/**
 * Holds a reference against a daemon: it must be the daemon that the reference names, and have the very image, under its
 * unique tag if a job saved it. The documents of a layout are anybody's; the tag is set by who reaches the daemon. Reads no
 * layer.
 * @param name what messages call the image
 * @param tag the tag that the saving job gave it, without the repository. Default: none is asked for
 * @throws {@link DrayageError} `UNREACHABLE` for another daemon, or if the image is gone; `UNSUPPORTED` for an endpoint that
 * cannot tell
 */
export async function assertReferred(
  { name, tag }: { name: string; tag?: string | undefined },
  reference: ImageReference,
  endpoint: Partial<LastingEndpoint>,
  options: ContentOptions = {},
): Promise<void> {
  const lasting = lastingEndpoint(endpoint, name);
  const there = await identityOf(lasting, options);
  if (there === undefined || !isSameDaemon(there, reference.daemon))
    throw otherDaemon(name, reference, there);
  const found = await referred(lasting, reference, options);
  const flaw = typeof found === 'string' ? found : (differenceOf(reference, found) ?? flawOfTag(tag, found));
  if (flaw !== undefined) throw goneImage(name, reference, flaw);
}

/** Whether the daemon has lost the tag by which the saving job held the image, in words. */
function flawOfTag(tag: string | undefined, { names }: ReferredImage): string | undefined {
  const isHeld = tag === undefined || names.some((name) => name.endsWith(`:${tag}`));
  return isHeld ? undefined : `the image has no tag ${tag}`;
}

/** The endpoint as one that can be referred to. */
function lastingEndpoint(endpoint: Partial<LastingEndpoint>, name: string): LastingEndpoint {
  const { identity, refer } = endpoint;
  if (identity !== undefined && refer !== undefined) {
    return {
      identity: (options) => identity.call(endpoint, options),
      refer: (image, options) => refer.call(endpoint, image, options),
    };
  }
  throw new DrayageError('UNSUPPORTED', `${name}: this daemon cannot say which one it is`, {
    hint: 'the endpoint needs the methods identity and refer',
  });
}

/** The error if the daemon has the image no more, or something else in its place. */
export function goneImage(name: string, reference: ImageReference, flaw: string): DrayageError {
  const message = `${name} was saved as a reference to ${reference.image} in docker of ${daemonTitle(reference.daemon)}, and this is that daemon: ${flaw}`;
  return new DrayageError('UNREACHABLE', message, {
    reason: 'REFERRED_IMAGE_GONE',
    digest: reference.id,
    expected: reference.image,
    hint: 'run the job that builds it again',
  });
}

/** A daemon without an identity is another one. */
async function identityOf(
  lasting: LastingEndpoint,
  options: ContentOptions,
): Promise<DaemonIdentity | undefined> {
  try {
    return await lasting.identity(options);
  } catch (error) {
    if (isDrayageError(error, 'UNSAFE')) return undefined;
    throw error;
  }
}

/** @returns what is wrong, in words, if the image cannot be described */
async function referred(
  lasting: LastingEndpoint,
  { image, documents: known }: ImageReference,
  { signal }: ContentOptions,
): Promise<ReferredImage | string> {
  try {
    return await lasting.refer(image, { signal, known });
  } catch (error) {
    if (isDrayageError(error, 'NOT_FOUND')) return 'the image is gone';
    if (isDrayageError(error, 'INCOMPLETE')) return 'content of the image is gone';
    throw error;
  }
}

function isSameDaemon(a: DaemonIdentity, b: DaemonIdentity): boolean {
  return a.id === b.id && a.name === b.name && a.root === b.root;
}

/** What is there instead, in words; undefined if it is the image. */
function differenceOf(reference: ImageReference, found: ReferredImage): string | undefined {
  if (found.image !== reference.image) return `${found.image} is there`;
  if (found.id !== reference.id) return `its config is ${found.id}, not ${reference.id}`;
  if (String(found.diffIds) !== String(reference.diffIds)) return 'the image has other layers';
  const [is, stated] = [formatPlatform(found.platform), formatPlatform(reference.platform)];
  if (is !== stated) return `the image is for ${is}, not for ${stated}`;
  const [said, label] = [reference.labels?.[REVISION], found.labels?.[REVISION]];
  return said === label
    ? undefined
    : `its label ${REVISION} is ${label ?? 'absent'}, not ${said ?? 'absent'}`;
}

function otherDaemon(
  name: string,
  reference: ImageReference,
  there: DaemonIdentity | undefined,
): DrayageError {
  const here = there === undefined ? 'a daemon without an ID of its own' : `docker of ${daemonTitle(there)}`;
  const message = `${name} was saved as a reference to an image in docker of ${daemonTitle(reference.daemon)}, and this is ${here}`;
  return new DrayageError('UNREACHABLE', message, {
    reason: 'OTHER_DAEMON',
    digest: reference.id,
    expected: reference.daemon.id,
    actual: there?.id,
    hint: HINT,
  });
}
