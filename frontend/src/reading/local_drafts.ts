import type { LocalCopy } from "./autosave.ts";

const DATABASE = "osteon-drafts";
const STORE = "drafts";
const AGE_LIMIT_MS = 14 * 24 * 3600 * 1000;

/** A browser's store that never answers must not hold up the server's copy. */
export const ANSWER_MS = 5000;
/** What was kept is waited for longer: it may be all there is of a read. */
export const FIND_MS = 15_000;

interface Kept extends LocalCopy {
  kept_at: number;
}

type Run<T> = (store: IDBObjectStore) => IDBRequest<T>;

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("This browser's store does not answer.")), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function open(factory: IDBFactory): Promise<IDBDatabase> {
  const request = factory.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

/** Unacknowledged drafts of this browser, one per user and case. */
export interface LocalDrafts {
  get: (key: string, now: number) => Promise<LocalCopy | null>;
  put: (key: string, copy: LocalCopy, now: number) => Promise<void>;
  remove: (key: string) => Promise<void>;
  /** How many drafts wait in this browser, whoever wrote them. */
  count: () => Promise<number>;
}

export const draftKey = (owner: string, code: string): string => `${owner}:${code}`;

export function openLocalDrafts(factory: IDBFactory): LocalDrafts {
  const use = async <T>(mode: IDBTransactionMode, run: Run<T>): Promise<T> => {
    const database = await open(factory);
    try {
      return await done(run(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  };
  const withStore = <T>(mode: IDBTransactionMode, run: Run<T>): Promise<T> =>
    inTime(use(mode, run), mode === "readonly" ? FIND_MS : ANSWER_MS);
  const remove = async (key: string): Promise<void> => {
    await withStore("readwrite", (store) => store.delete(key));
  };
  return {
    get: async (key, now) => {
      const kept = (await withStore("readonly", (store) => store.get(key))) as Kept | undefined;
      if (kept === undefined) return null;
      if (now - kept.kept_at <= AGE_LIMIT_MS) return kept;
      await remove(key);
      return null;
    },
    put: async (key, copy, now) => {
      await withStore("readwrite", (store) => store.put({ ...copy, kept_at: now }, key));
    },
    remove,
    count: () => withStore("readonly", (store) => store.count()),
  };
}
