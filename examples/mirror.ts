// Copies images from one registry to another, with all platforms and everything that refers to them.
import type { Credentials } from 'drayage';
import { copy, parseReference, Registries } from 'drayage';

export async function mirror(
  references: readonly string[],
  toHost: string,
  credentials?: Credentials,
): Promise<string[]> {
  await using registries = new Registries(async () => ({ credentials }));
  const mirrored: string[] = [];
  for (const reference of references) {
    const { repository, tag } = await registries.tagged(reference);
    const target = `${toHost}/${parseReference(reference).path}:${tag}`;
    const { images } = await copy({ from: repository, images: [tag], to: { registries, tags: [target] } });
    mirrored.push(...images.flatMap(({ refs }) => refs));
  }
  return mirrored;
}
