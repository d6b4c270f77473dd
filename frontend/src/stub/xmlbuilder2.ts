/** Stands in for `xmlbuilder2`: the toolkit names it, the reading room never writes XML. */
const refuse = (): never => {
  throw new Error("XML is not written in the browser");
};
export const create = refuse;
export const convert = refuse;
export const fragment = refuse;
