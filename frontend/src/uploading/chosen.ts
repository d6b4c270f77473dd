import type { Chosen } from "./batches.ts";

const byName = (a: Chosen, b: Chosen): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The files of an input, sorted, under the path they have in a chosen folder. */
export const fromInput = (files: FileList | null): Chosen[] =>
  Array.from(files ?? [], (file) => ({
    file,
    name: file.webkitRelativePath || file.name,
    size: file.size,
  })).sort(byName);

const asFile = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

/** A folder's entries come in portions; an empty one is the last. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    found.push(...some);
  }
}

async function walk(entry: FileSystemEntry): Promise<Chosen[]> {
  if (entry.isFile) {
    const file = await asFile(entry as FileSystemFileEntry);
    return [{ file, name: entry.fullPath.replace(/^\//, ""), size: file.size }];
  }
  const found: Chosen[] = [];
  for (const inner of await entriesOf(entry as FileSystemDirectoryEntry)) found.push(...(await walk(inner)));
  return found;
}

export interface Dropped {
  files: Chosen[];
  isFolder: boolean;
}

/** Everything that was dropped, folders walked to their end. */
export async function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  const roots = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  const files = (await Promise.all(roots.map(walk))).flat().sort(byName);
  return { files, isFolder: roots.some((entry) => entry.isDirectory) };
}
