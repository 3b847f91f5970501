import type { ContentSource } from '../../content/source.ts';
import type { EndpointLoadOptions, EndpointLoadResult } from '../../content/endpoint.ts';
import { readImage } from '../../image/image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { cleanupSignal } from '../connect/cleanups.ts';
import type { LoadTarget } from './delivery.ts';
import { Delivery } from './delivery.ts';
import { LayerReport } from './layer-report.ts';
import { NamesBefore } from './names-before.ts';
import { parseTagName } from '../images/names.ts';
import type { ImageToLoad } from '../kinds/store.ts';

/**
 * Puts an image into a daemon: reads and sends only what it lacks, verifies the result, and then sets the names. The
 * load itself may set the first name: use one that nobody else uses. After a failure, names mean what they meant
 * before.
 */
export async function loadImage(
  target: LoadTarget,
  root: Descriptor,
  source: ContentSource,
  names: readonly string[],
  options: EndpointLoadOptions,
): Promise<EndpointLoadResult> {
  const { signal, full = false } = options;
  const { images, store } = target;
  const wanted = [...new Set(names.map((name) => parseTagName(name).name))];
  const read = await readImage(source, root, { signal, prefer: target.platform });
  const toLoad = await store.prepare({ root, image: read, source }, { signal });
  const { image } = toLoad;
  const daemonId = store.idOf(toLoad);
  const before = await NamesBefore.ask(images, wanted, { signal });
  const present = !full && (await store.flaw(images, toLoad, { signal })) === undefined;
  const layers = new LayerReport(read.layers, image.layers, options.onProgress);
  const delivery = new Delivery(target, toLoad, wanted[0], { ...options, layers });
  const tagged: string[] = [];
  try {
    const held = present ? image.layers.map(() => true) : await delivery.deliver();
    layers.finish(held);
    for (const name of wanted) {
      tagged.push(name);
      await images.tag(daemonId, name, { signal });
    }
    return {
      daemonId,
      status: present ? 'present' : 'loaded',
      layersSent: held.filter((isHeld) => !isHeld).length,
      layersPresent: held.filter(Boolean).length,
      bytesSent: delivery.bytesSent,
      moved: before.movedTo(daemonId),
    };
  } catch (error) {
    await takeBack(target, toLoad, { delivery, before, tagged });
    throw error;
  } finally {
    await delivery.cleanUp();
  }
}

/** What a load has done so far. */
interface Undone {
  delivery: Delivery;
  before: NamesBefore;
  /** The names that were set after the image was verified; the last one perhaps was not. */
  tagged: readonly string[];
}

/**
 * Restores names and removes a broken image. One new name of a complete image stays: the unique one under which it was
 * sent, because a concurrent load of the same image sets it, too.
 */
async function takeBack(
  { images, store }: LoadTarget,
  toLoad: ImageToLoad,
  { delivery, before, tagged }: Undone,
): Promise<void> {
  const options = { signal: cleanupSignal() };
  const isWhole = async (id: Digest): Promise<boolean> =>
    id === store.idOf(toLoad) && (await store.flaw(images, toLoad, options)) === undefined;
  const [anchor = delivery.staged, ...others] = tagged;
  try {
    for (const name of others) await before.restore(name, async () => false, options);
    if (anchor !== undefined) await before.restore(anchor, isWhole, options);
    await delivery.abandon();
  } catch {
    // The first failure is the one to report.
  }
}
