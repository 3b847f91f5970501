/** A full image ID with its algorithm, as docker's own client and files may omit it; any other text stays as it is. */
export function withAlgorithm(text: string): string {
  return /^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text;
}
