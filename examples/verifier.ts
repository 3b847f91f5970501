// Loads only images that somebody has approved: an artifact beside the image holds an HMAC of its digest.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Authenticate, ImageStore, LoadOptions, LoadResult, StoredImage } from 'drayage';
import { DrayageError, load } from 'drayage';
import { attach, contentsOf } from 'drayage/image';

const APPROVAL = 'application/vnd.example.approval';

export async function approve(store: ImageStore, { root }: StoredImage, key: string): Promise<void> {
  const bytes = hmac(root.digest, key);
  await store.update(async (transaction) => {
    transaction.add(await attach(transaction, root, APPROVAL, [{ bytes, mediaType: APPROVAL }]), [], {});
  });
}

export async function loadApproved(options: LoadOptions, key: string): Promise<LoadResult> {
  const authenticate: Authenticate = async ({ root }, place, read) => {
    for (const referrer of await place.referrers(root, read)) {
      const { blobs } = await contentsOf(place, referrer, read);
      const approval = blobs.find(({ mediaType, size }) => mediaType === APPROVAL && size === 32);
      if (approval === undefined) continue;
      const stated = await buffer(await place.open(approval, read));
      if (timingSafeEqual(stated, hmac(root.digest, key))) return [referrer];
    }
    throw new DrayageError('POLICY', `nobody has approved ${root.digest}`);
  };
  return load({ ...options, authenticate });
}

function hmac(text: string, key: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
