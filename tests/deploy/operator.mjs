// Validates objects of the Prometheus operator: node operator.mjs NODE_MODULES < objects.json
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const models = join(process.argv[2], "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js");
const kinds = await import(pathToFileURL(models));
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const Kind = kinds[object.kind];
  if (!Kind) throw new Error(`no schema for ${object.kind}`);
  try {
    new Kind(object).validate();
  } catch (error) {
    console.error(`${object.kind} ${object.metadata.name}: ${error.message}`);
    process.exit(1);
  }
}
