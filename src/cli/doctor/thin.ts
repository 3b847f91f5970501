import type { SaveResult } from '../../index.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import type { Check, Finding } from './check.ts';
import { examine } from './check.ts';
import type { DoctorInput } from './input.ts';
import type { Trial } from './trial.ts';

const WHEN = {
  auto: 'layers of a base image are omitted only if the layout exceeds its limit (--thin auto)',
  always: 'layers of a base image are omitted if one is found (--thin always)',
};
const NO_BASE =
  'no base image is known: name it by --base, pull it before the build, or give --metadata-file';

/** Whether a save omits the layers of a base image, and if not, why. */
export async function checkThin({ options }: DoctorInput, trial: Trial | undefined): Promise<Check> {
  const { thin: when = 'auto', base = [] } = options;
  return examine('thin', 'warn', async (facts) => {
    Object.assign(facts, { when, base });
    if (when === 'never') return { status: 'ok', message: 'all layers are stored (--thin never)', facts };
    const { result, notes = [] } = trial ?? {};
    if (result === undefined) return { status: 'ok', message: WHEN[when], facts };
    return { ...explain(result, when, notes), facts };
  });
}

/** What the trial shows. */
function explain(
  { images, bytes }: SaveResult,
  when: keyof typeof WHEN,
  notes: readonly string[],
): Omit<Finding, 'facts'> {
  const layers = images.flatMap((image) => image.layers);
  const omitted = layers.filter(({ status }) => status === 'omitted').length;
  if (omitted > 0) {
    const message = `${omitted} of ${count(layers.length, 'layer')} omitted, ${formatBytes(bytes.omitted)}`;
    return { status: 'ok', message };
  }
  const why = notes.length > 0 ? notes.join('; ') : NO_BASE;
  return when === 'auto'
    ? { status: 'ok', message: `no layer is omitted: ${WHEN.auto}` }
    : { status: 'warn', message: 'no layer is omitted', hint: why };
}
