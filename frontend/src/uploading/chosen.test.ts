import { expect, test } from "vitest";
import { fromDrop, fromInput } from "./chosen.ts";

const file = (name: string, path = ""): File =>
  Object.assign(new File(["12345"], name), { webkitRelativePath: path });

const asList = (...files: File[]): FileList => files as unknown as FileList;

/** A dropped file, as the browser's file system shows it. */
const leaf = (path: string): FileSystemEntry =>
  ({
    isFile: true,
    isDirectory: false,
    fullPath: path,
    file: (taken: (f: File) => void) => taken(file(path.split("/").at(-1) ?? "")),
  }) as unknown as FileSystemEntry;

/** A dropped folder that hands out its entries two at a time, then none. */
const folder = (path: string, ...entries: FileSystemEntry[]): FileSystemEntry =>
  ({
    isFile: false,
    isDirectory: true,
    fullPath: path,
    createReader: () => {
      const left = [...entries];
      return { readEntries: (taken: (e: FileSystemEntry[]) => void) => taken(left.splice(0, 2)) };
    },
  }) as unknown as FileSystemEntry;

const dropped = (...entries: (FileSystemEntry | null)[]): DataTransfer =>
  ({ items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })) }) as unknown as DataTransfer;

test("nothing chosen is nothing", () => {
  expect(fromInput(null)).toEqual([]);
});

test("files keep their size and come sorted by the path in their folder", () => {
  const found = fromInput(asList(file("b", "exam/ct/b"), file("a", "exam/spect/a"), file("c", "exam/ct/c")));
  expect(found.map((f) => [f.name, f.size])).toEqual([
    ["exam/ct/b", 5],
    ["exam/ct/c", 5],
    ["exam/spect/a", 5],
  ]);
});

test("files chosen alone are named by themselves", () => {
  expect(fromInput(asList(file("x.dcm"))).map((f) => f.name)).toEqual(["x.dcm"]);
});

test("a dropped folder is walked to its end, however the browser portions it", async () => {
  const ct = folder("/exam/ct", ...[1, 2, 3, 4, 5].map((k) => leaf(`/exam/ct/${k}`)));
  const { files, isFolder } = await fromDrop(dropped(folder("/exam", ct, leaf("/exam/readme"))));
  expect(isFolder).toBe(true);
  expect(files.map((f) => f.name)).toEqual([
    "exam/ct/1",
    "exam/ct/2",
    "exam/ct/3",
    "exam/ct/4",
    "exam/ct/5",
    "exam/readme",
  ]);
});

test("dropped files are no folder, and what is no file is left out", async () => {
  const { files, isFolder } = await fromDrop(dropped(leaf("/b"), null, leaf("/a")));
  expect(isFolder).toBe(false);
  expect(files.map((f) => f.name)).toEqual(["a", "b"]);
});

test("an empty folder holds nothing", async () => {
  expect(await fromDrop(dropped(folder("/empty")))).toEqual({ files: [], isFolder: true });
});
