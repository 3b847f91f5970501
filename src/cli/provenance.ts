/** The start of a package URL of an image. */
const IMAGE = 'pkg:docker/';

/**
 * The images that a build used, by reference, from SLSA provenance as BuildKit writes it: version 0.2 (`materials`) or
 * 1 (`buildDefinition.resolvedDependencies`). Each is listed with its digest first, if it is stated, and then by its
 * tag, because the digest of a daemon's local image is unknown to registries. Unknown parts are skipped.
 */
export function usedImages(provenance: unknown): string[] {
  const fields = fieldsOf(provenance);
  const used = fields.get('materials') ?? fieldsOf(fields.get('buildDefinition')).get('resolvedDependencies');
  return [...new Set((Array.isArray(used) ? used : []).flatMap(referencesOf))];
}

/** `pkg:docker/group/app@1?platform=linux%2Famd64` is `group/app:1`; package URLs are percent-encoded. */
function referencesOf(material: unknown): string[] {
  const fields = fieldsOf(material);
  const uri = fields.get('uri');
  if (typeof uri !== 'string' || !uri.startsWith(IMAGE)) return [];
  const [path = '', query] = uri.slice(IMAGE.length).split('?');
  const [name = '', version] = path.split('@');
  const sha256 = fieldsOf(fields.get('digest')).get('sha256');
  const digest = typeof sha256 === 'string' ? `sha256:${sha256}` : new URLSearchParams(query).get('digest');
  try {
    const tagged = decodeURIComponent(name) + (version ? `:${decodeURIComponent(version)}` : '');
    return [...(digest ? [`${tagged}@${digest}`] : []), ...(version || !digest ? [tagged] : [])];
  } catch {
    return [];
  }
}

function fieldsOf(value: unknown): Map<string, unknown> {
  return new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
