// What `npm pack` would put into the package.
import { readFileSync } from "node:fs";
const names = JSON.parse(readFileSync(0, "utf8"))[0].files.map((file) => file.path);
const strange = names.filter((name) => !/^(dist\/\w+\.(js|d\.ts)|package\.json|README\.md)$/.test(name));
const needed = ["index", "react", "vue"].flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`]);
const missing = [...needed, "README.md"].filter((name) => !names.includes(name));
if (strange.length + missing.length > 0) throw new Error(`in the package: ${strange}; missing from it: ${missing}`);
