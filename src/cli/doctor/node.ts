import type { CodecName } from '../../index.ts';
import { chosenCompression, COMPRESSIONS, isDrayageError } from '../../index.ts';
import { assertNode, MINIMUM_NODE } from '../node-version.ts';
import type { Check } from './check.ts';
import { examine } from './check.ts';

/**
 * Node, and the codecs that it has.
 * @param version as in `process.versions.node`
 */
export async function checkNode(version: string): Promise<Check> {
  return examine('node', 'fail', async (facts) => {
    const writes = COMPRESSIONS.filter(canWrite).toReversed();
    Object.assign(facts, { version, minimum: MINIMUM_NODE, writes });
    assertNode(version);
    const message = `Node ${version} writes ${writes.join(', ')}`;
    if (writes.includes('zstd')) return { status: 'ok', message, facts };
    const hint = 'Node 22.15 and newer also write zstd, which is faster than gzip';
    return { status: 'ok', message: `${message}; it reads zstd, slowly`, hint, facts };
  });
}

/** How layers are compressed. */
export async function checkCodec(name: CodecName = 'auto', level?: number): Promise<Check> {
  return examine('codec', 'fail', async (facts) => {
    Object.assign(facts, { requested: name, level: level ?? null });
    facts['compression'] = chosenCompression(name, level);
    const message = `layers are compressed with ${String(facts['compression'])} (--compress ${name})`;
    return { status: 'ok', message, facts };
  });
}

function canWrite(name: CodecName): boolean {
  try {
    return chosenCompression(name) === name;
  } catch (error) {
    if (isDrayageError(error) && error.facts.reason === 'NO_CODEC') return false;
    throw error;
  }
}
