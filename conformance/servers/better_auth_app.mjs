// Small application around the npm packages better-auth and @better-auth/scim with the memory
// adapter: defaults as they come, one static connection.  The wrapper only turns node's HTTP
// into the handler's Request and back.
// Usage: node better_auth_app.mjs PORT TOKEN   (packages are resolved from NODE_MODULES_DIR)
import http from "node:http";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.env.NODE_MODULES_DIR, "x.js")));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { betterAuth } = await load("better-auth");
const { memoryAdapter } = await load("better-auth/adapters/memory");
const { scim } = await load("@better-auth/scim");
const [, , port, token] = process.argv;

const tables = {};
const auth = betterAuth({
    baseURL: `http://127.0.0.1:${port}`,
    secret: "conformance-run-only-conformance-run-only",
    database: memoryAdapter(tables),
    telemetry: { enabled: false },
    logger: { disabled: true },
    rateLimit: { enabled: false },
    plugins: [scim({ connections: [{ id: "conformance", credentials: [{ type: "bearer", id: "one", token }] }] })],
});
for (const [name, table] of Object.entries((await auth.$context).tables)) tables[table.modelName ?? name] ??= [];

http.createServer((req, res) => {
    const chunks = [];
    req.on("data", (c) => chunks.push(c));
    req.on("end", async () => {
        try {
            const body = Buffer.concat(chunks);
            const answer = await auth.handler(new Request(`http://127.0.0.1:${port}${req.url}`, {
                method: req.method, headers: new Headers(Object.entries(req.headers).map(([k, v]) => [k, String(v)])),
                body: body.length ? body : undefined,
            }));
            res.writeHead(answer.status, Object.fromEntries(answer.headers));
            res.end(Buffer.from(await answer.arrayBuffer()));
        } catch (e) {
            console.error(e);
            res.writeHead(500, { "Content-Type": "text/plain" });
            res.end("Internal Server Error");
        }
    });
}).listen(Number(port), "127.0.0.1", () => console.log(`listening ${port}`));
