import type { ContentSource, LoadOptions, LoadResult } from '../content.ts';
import { DrayageError, isDrayageError } from '../errors.ts';
import { readImage } from '../image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { Images } from './images.ts';
import { parseTagName } from './names.ts';
import { sendArchive } from './send.ts';
import type { Cargo, Store } from './store.ts';
import type { Transport } from './transport.ts';

/** The daemon that a load goes to. */
export interface LoadTarget {
  transport: Transport;
  images: Images;
  store: Store;
  platform: Platform;
  /** Of the signs of life that are asked for, in ms. */
  interval: number;
}

/**
 * Puts an image into a daemon. It is sent under the first of its names only, verified there, and then gets the others: so
 * the first should be one that nobody uses for anything else.
 */
export async function loadImage(
  target: LoadTarget,
  root: Descriptor,
  source: ContentSource,
  names: readonly string[],
  options: LoadOptions,
): Promise<LoadResult> {
  const { signal } = options;
  const wanted = [...new Set(names.map((name) => parseTagName(name).name))];
  const image = await readImage(source, root, { signal, prefer: target.platform });
  const cargo: Cargo = { root, image, source };
  const present = await target.store.isPresent(target.images, cargo, { signal });
  const bytesSent = present ? 0 : await sendAndVerify(target, cargo, wanted[0], options);
  const daemonId = target.store.idOf(cargo);
  for (const name of wanted) await target.images.tag(daemonId, name, { signal });
  const count = image.layers.length;
  return {
    daemonId,
    status: present ? 'present' : 'loaded',
    layersSent: present ? 0 : count,
    layersPresent: present ? count : 0,
    bytesSent,
  };
}

async function sendAndVerify(
  target: LoadTarget,
  cargo: Cargo,
  first: string | undefined,
  options: LoadOptions,
): Promise<number> {
  const { store, images } = target;
  const { signal } = options;
  const name = store.takesNames ? first : undefined;
  try {
    const archive = store.archive(cargo, name === undefined ? [] : [name], { signal });
    const bytesSent = await sendArchive(target, archive, options);
    const flaw = await store.flaw(images, cargo, name, { signal });
    if (flaw !== undefined) throw flawed(target, cargo, flaw);
    return bytesSent;
  } catch (error) {
    if (isDrayageError(error, 'DAEMON')) await removeBroken(target, cargo, name);
    throw error;
  }
}

function flawed({ transport, store }: LoadTarget, cargo: Cargo, flaw: string): DrayageError {
  const id = store.idOf(cargo);
  return new DrayageError(
    'DAEMON',
    `docker at ${transport.host.name} reports that it loaded ${id}, but ${flaw}`,
    {
      expected: id,
      url: transport.host.name,
      hint: 'load it again; if that does not help, the log of the daemon may say why',
    },
  );
}

/** Takes away what a failed load left: a containerd store keeps broken images, under the name too. */
async function removeBroken(
  { store, images }: LoadTarget,
  cargo: Cargo,
  name: string | undefined,
): Promise<void> {
  try {
    const left = await images.find(name ?? store.idOf(cargo));
    if (left === undefined || (await store.flaw(images, cargo, name, {})) === undefined) return;
    // By ID, an image would go that has got other names before.
    if (name !== undefined || left.names.length === 0) await images.remove(name ?? left.id);
  } catch {
    // What went wrong first is what is told.
  }
}
