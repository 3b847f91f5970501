import type { Layout, Provenance, StoredImage, VerifyResult } from '../../index.ts';
import { daemonTitle, DrayageError, originOf, verify } from '../../index.ts';
import type { CommonOptions, Context, Outcome } from '../context.ts';
import { worstExitCode } from '../exit-code.ts';
import { count } from '../../text/count.ts';
import { formatBytes } from '../../text/bytes.ts';
import { withoutCredentials } from '../../text/userinfo.ts';
import { describeElsewhere, describePart } from '../format.ts';
import { wordsOf } from '../error-words.ts';
import { openLayouts } from '../places.ts';
import type { JobOptions } from '../job-query.ts';
import type { SignatureOptions } from '../signature-options.ts';
import { readSelection } from '../selection.ts';
import { toJson } from '../report-error.ts';
import { explainDamage } from '../artifact-errors.ts';

/** Options of `drayage verify`. */
export interface VerifyCommandOptions extends CommonOptions, Omit<SignatureOptions, keyof JobOptions> {}

/** An image's origin: proven by a signature, or claimed by its annotations. */
interface Origin {
  name: string | null;
  digest: string;
  provenance: Provenance | null;
  claimedPipeline: string | null;
}

interface VerifiedLayout extends Omit<VerifyResult, 'images'> {
  layout: string;
  origins: Origin[];
}

/** `drayage verify` */
export async function verifyLayouts(
  paths: readonly string[],
  options: VerifyCommandOptions,
  context: Context,
): Promise<Outcome> {
  const proven = new Map<StoredImage, Provenance>();
  const onAuthentic = (image: StoredImage, provenance: Provenance): void =>
    void proven.set(image, provenance);
  const selection = await readSelection(options, context, { onAuthentic, ownPipeline: false });
  const isOriginChecked = selection.authenticate !== undefined;
  const layouts: VerifiedLayout[] = [];
  for (const layout of await openLayouts(paths, context)) {
    const { images, ...result } = await verify({ ...selection, layout });
    const damage = await Promise.all(result.problems.map((error) => explainDamage(error, [layout], context)));
    const origins = images.map(({ image }) => originIn(image, proven.get(image)));
    const refusals = images.flatMap(({ refusal }) => refusal ?? []);
    const isNothing = origins.length === 0 && (result.entries === 0 || isOriginChecked);
    const nothing = isNothing ? [nothingToVerify(layout)] : [];
    const problems = [...damage, ...nothing, ...refusals];
    layouts.push({ layout: layout.path, ...result, problems, origins });
  }
  return {
    json: { layouts: layouts.map((result) => ({ ...result, problems: result.problems.map(toJson) })) },
    text: layouts.flatMap((layout) => describeLayout(layout, isOriginChecked)),
    quiet: layouts.filter(({ problems }) => problems.length === 0).map(({ layout }) => layout),
    exitCode: worstExitCode(layouts.flatMap(({ problems }) => problems)),
  };
}

/** A policy would accept a layout without images. */
function nothingToVerify({ path }: Layout): DrayageError {
  return new DrayageError('NOT_FOUND', 'the layout contains no image: there is nothing to verify', {
    path,
    hint: 'check what the earlier job saved; drayage inspect lists the content',
  });
}

function originIn({ names, root, annotations }: StoredImage, provenance: Provenance | undefined): Origin {
  return {
    name: names[0] ?? null,
    digest: root.digest,
    provenance: provenance ?? null,
    claimedPipeline: originOf(annotations).pipelineId ?? null,
  };
}

function describeLayout(
  { layout, entries, blobs, bytes, omitted, nonDistributable, references, problems, origins }: VerifiedLayout,
  isOriginChecked: boolean,
): string[] {
  const read = `${count(entries, 'entry', 'entries')}, ${formatBytes(bytes)} in ${count(blobs, 'blob')}`;
  const omittedText =
    omitted.layers === 0
      ? ''
      : `; ${count(omitted.layers, 'layer')} (${formatBytes(omitted.bytes)}) omitted and not read`;
  const verdict =
    problems.length > 0
      ? `${count(problems.length, 'problem')} found${omittedText}`
      : `content intact${omittedText}; ${isOriginChecked ? 'origin proven by signature' : 'origin not checked'}`;
  const words = problems.map(wordsOf);
  const hints = new Set(words.flatMap(({ hint }) => hint ?? []));
  return [
    ...origins.flatMap(describeOrigin),
    ...words.map(({ message }) => withoutCredentials(message)),
    ...omitted.parts.map((part) => `omitted: ${describePart(part)}`),
    ...nonDistributable.map(({ digest, urls }) => `layer ${digest} is ${describeElsewhere(urls)}`),
    ...references.map(
      ({ digest, daemon }) =>
        `${origins.find((one) => one.digest === digest)?.name ?? digest} is a reference: its layers stay in docker of ${daemonTitle(daemon)} and were not read`,
    ),
    `${read}: ${verdict}`,
    ...[...hints].map(withoutCredentials),
  ].map((line) => `${layout}: ${line}`);
}

/** No certificate contains the pipeline, so it is only claimed. */
function describeOrigin({ name, digest, provenance, claimedPipeline }: Origin): string[] {
  const label = name ?? digest;
  if (provenance === null) {
    return claimedPipeline === null ? [] : [`${label}: pipeline ${claimedPipeline} (claimed)`];
  }
  const { signer, commit, job, claimed, unreadLayers: unread, layersRead } = provenance;
  const who = signer.kind === 'key' ? `key ${signer.hint}` : signer.identity;
  const parts = [
    `${label}: signed by ${who}`,
    ...(commit === null ? [] : [`commit ${commit}`]),
    ...(job === null ? [] : [`job ${job}`]),
    ...(claimed.pipeline === null ? [] : [`pipeline ${claimed.pipeline} (claimed)`]),
    ...(provenance.names === null && name !== null ? ['names not covered'] : []),
    ...(layersRead || unread.length === 0 ? [] : ['no layer read by the signer']),
    ...(layersRead && unread.length > 0
      ? [`${count(unread.length, 'layer')} of its base not read by the signer`]
      : []),
  ];
  return [parts.join(', ')];
}
