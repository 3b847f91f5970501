import { formatBytes } from '../../text/bytes.ts';
import { readRequest } from '../save-request.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';

/** The options of the save, and the files that they name. */
export async function checkRequest({ names, options }: DoctorInput): Promise<Check> {
  return examine('request', 'fail', async (facts) => {
    const { ids, described, maxSize } = await readRequest(options);
    const images = [
      ...names,
      ...ids,
      ...described.flatMap(({ names: built, digests }) => built[0] ?? digests[0] ?? []),
    ];
    Object.assign(facts, { images, from: options.from ?? null, maxSize: maxSize ?? null });
    const named = images.length === 0 ? 'no image named' : `to be saved: ${images.join(', ')}`;
    const limited = maxSize === undefined ? '' : `, at most ${formatBytes(maxSize)}`;
    return { status: 'ok', message: `${named}${limited}`, facts };
  });
}
