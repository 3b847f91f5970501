// Saves an image of a daemon with a progress bar. Aborting the signal cancels it: the layout is as it was.
import type { OnProgress, SaveResult } from 'drayage';
import { connectDocker, Layout, save } from 'drayage';

export async function saveWithBar(
  host: string,
  image: string,
  folder: string,
  draw: (line: string) => void,
  signal?: AbortSignal,
): Promise<SaveResult> {
  await using daemon = await connectDocker({ host, signal });
  const to = await Layout.create(folder);
  return await save({ from: daemon, images: [image], to, signal, onProgress: bar(draw) });
}

function bar(draw: (line: string) => void): OnProgress {
  let [phase, read, layers, of] = ['', 0, 0, '?'];
  return (event) => {
    if (event.kind === 'start') of = String(event.layers ?? '?');
    if (event.kind === 'phase') phase = event.phase;
    if (event.kind === 'bytes' && event.direction === 'read') read += event.bytes;
    if (event.kind === 'layer') layers += 1;
    if (event.kind === 'note') draw(event.message);
    else draw(`${phase} ${layers}/${of} layers, ${(read / 1e6).toFixed(1)} MB`);
  };
}
