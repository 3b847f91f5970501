// A step of a GitHub workflow: saves an image for `actions/upload-artifact`, and gives out what the next job needs.
import { appendFile } from 'node:fs/promises';
import { cis, connectDocker, Layout, originAnnotations, resolveDockerHost, save } from 'drayage';

export async function saveStep(image: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { GITHUB_OUTPUT } = env;
  const ci = cis.find((one) => one.isHere(env));
  if (ci === undefined || GITHUB_OUTPUT === undefined)
    throw new Error('this is no step of a GitHub workflow');
  await using daemon = await connectDocker(await resolveDockerHost(env));
  // The next job expects images of its own workflow run.
  const annotations = originAnnotations(ci.readOrigin(env));
  const to = await Layout.create(folder);
  const { images, layout } = await save({ from: daemon, images: [image], to, annotations });
  const outputs = images.map(({ ref, digest }) => `ref=${ref}\ndigest=${digest}\nlayout=${layout}\n`);
  await appendFile(GITHUB_OUTPUT, outputs.join(''));
}
