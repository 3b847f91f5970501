// Starts a container of the image that an earlier job has built: the artifact of that job holds its layout.
import { connectDocker, Layout, load, resolveDockerHost } from 'drayage';

/** `GenericContainer` of the package testcontainers. */
type ContainerClass<T> = new (image: string) => { start: () => Promise<T> };

/** Usage: `await startFromJob('image-layout', 'app', GenericContainer, process.env)`. */
export async function startFromJob<T>(
  folder: string,
  image: string,
  GenericContainer: ContainerClass<T>,
  env: NodeJS.ProcessEnv,
): Promise<T> {
  await using daemon = await connectDocker(await resolveDockerHost(env));
  const { images } = await load({ from: [await Layout.open(folder)], images: [image], to: daemon });
  const [loaded] = images;
  if (loaded === undefined) throw new Error(`${folder} holds no ${image}`);
  // Its unique tag: no other job moves it, and testcontainers does not pull what the daemon has.
  return await new GenericContainer(loaded.ref).start();
}
