// datumd's OPC UA bridge, spoken to by node-opcua: browse, run single jobs, listen to results, and reconcile with the list.
// How to run: README.md beside this file.
"use strict";
const path = require("node:path");
const { createRequire } = require("node:module");
const { parseArgs } = require("node:util");
const ua = createRequire(path.join(process.cwd(), "package.json"))("node-opcua-client");

const { values: asked, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        jobs: { type: "string", default: "0" },
        results: { type: "string", default: "0" },
        user: { type: "string", default: "" },
        password: { type: "string", default: "" },
        secure: { type: "boolean", default: false },
        patience: { type: "string", default: "60" },
        tolerant: { type: "boolean", default: false }, // jobs that end without a verdict are counted, not an error
    },
});
const NAMESPACE = "urn:datumd:vision";
const FIELDS = ["JobId", "PartId", "Pass", "Fail", "Cause", "Session", "Sequence", "ResultId", "ToState", "TriggerNumber"];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];

async function until(what, holds, patienceMs) {
    for (const end = Date.now() + patienceMs; Date.now() < end; await wait(2)) if (await holds()) return true;
    if (what) throw new Error(`in vain: ${what}`);
    return false;
}

class Line {
    constructor(session, index) {
        this.session = session;
        this.index = index;
        this.heard = [];
    }
    id(name) {
        return `ns=${this.index};s=${name}`;
    }
    async read(name) {
        return (await this.session.read({ nodeId: this.id(name), attributeId: ua.AttributeIds.Value })).value.value;
    }
    async call(method, ...inputs) {
        const result = await this.session.call({
            objectId: this.id(method.slice(0, method.lastIndexOf("."))),
            methodId: this.id(method),
            inputArguments: inputs.map(([dataType, value]) => ({ dataType: ua.DataType[dataType], arrayType: ua.VariantArrayType.Scalar, value })),
        });
        return { status: result.statusCode.name, outputs: (result.outputArguments || []).map((each) => each.value) };
    }
    async browse(name) {
        const result = await this.session.browse({
            nodeId: name.includes(";") ? name : this.id(name),
            referenceTypeId: "HierarchicalReferences",
            browseDirection: ua.BrowseDirection.Forward,
            includeSubtypes: true,
            resultMask: 63,
        });
        let found = [];
        for (const each of result.references || [])
            found = [...found, each.browseName.name, ...(await this.browse(each.nodeId.toString()))];
        return found;
    }
    async listen() {
        const subscription = await this.session.createSubscription2({
            requestedPublishingInterval: 20,
            requestedLifetimeCount: 2000,
            requestedMaxKeepAliveCount: 100,
            maxNotificationsPerPublish: 0,
            publishingEnabled: true,
            priority: 1,
        });
        const filter = ua.constructEventFilter(["EventType", "Time", ...FIELDS.map((each) => `${this.index}:${each}`)]);
        const item = await subscription.monitor(
            { nodeId: this.id("VisionSystem"), attributeId: ua.AttributeIds.EventNotifier },
            { samplingInterval: 0, discardOldest: true, queueSize: 1000, filter },
            ua.TimestampsToReturn.Both,
        );
        item.on("changed", (fields) => {
            const event = { kind: String(fields[0].value.value).replace("EventType", ""), at: Date.now() };
            FIELDS.forEach((name, place) => (event[name] = fields[place + 2].value));
            this.heard.push(event);
        });
    }
    results() {
        return this.heard.filter((each) => each.kind === "ResultReady");
    }
}

const NONE = [["Int32", 0], ["String", ""]];
const MACHINE = "VisionSystem.VisionStateMachine";
const AUTOMATIC = `${MACHINE}.AutomaticModeStateMachine`;

async function jobs(line, count, patienceMs) {
    const ms = [];
    const told = { jobs: count, pass: 0, fail: 0, none: 0, refused: 0, mixed: 0 };
    for (let number = 1; number <= count; number++) {
        await until("Ready", async () => {
            const state = await line.read("VisionSystem.State");
            if (state === 8) await line.call(`${AUTOMATIC}.Stop`, ...NONE);
            return state === 6;
        }, patienceMs);
        const part = `SN-${number}`;
        const began = Date.now();
        const { status, outputs } = await line.call(`${AUTOMATIC}.StartSingleJob`, ["String", part], ["Int32", 0]);
        if (status !== "Good") {
            told.refused++;
            continue;
        }
        const mine = () => line.heard.find((each) => each.kind === "ResultReady" && each.JobId === outputs[0]);
        await until("", async () => mine() !== undefined, 3000);
        const result = mine();
        if (result !== undefined) ms.push(result.at - began);
        if (result !== undefined && result.PartId !== part) told.mixed++;
        told[result === undefined ? "none" : result.Pass ? "pass" : result.Fail ? "fail" : "none"]++;
    }
    return { ...told, call_to_result_ms: { p50: quantile(ms, 0.5), p99: quantile(ms, 0.99), max: Math.max(...ms) } };
}

async function continuous(line, count, patienceMs) {
    if ((await line.read("VisionSystem.State")) === 6) await line.call(`${AUTOMATIC}.StartContinuous`, ["Int32", 0]);
    const before = line.results().length;
    await until(`${count} results`, async () => line.results().length >= before + count, patienceMs);
    const heard = line.results().slice(before);
    return { results: heard.length, pass: heard.filter((each) => each.Pass).length };
}

/** Each result since the first that was heard, once and in order; and the list of the bridge names the same. */
async function reconcile(line) {
    const heard = line.results();
    const places = heard.map((each) => `${each.Session[0] * 2 ** 32 + each.Session[1]}/${each.Sequence[0] * 2 ** 32 + each.Sequence[1]}`);
    const twice = places.length - new Set(places).size;
    let [session, sequence] = places[0].split("/").map(Number);
    sequence--;
    const missed = [];
    const ids = new Set(heard.map((each) => each.ResultId));
    const last = heard[heard.length - 1].ResultId;
    let listed = 0;
    for (let complete = false, end = false; !complete && !end; ) {
        const { outputs } = await line.call(
            "VisionSystem.ResultManagement.GetResultListFiltered",
            ["Int64", [Math.floor(session / 2 ** 32), session % 2 ** 32]], ["Int64", [0, sequence]],
            ["String", ""], ["String", ""], ["Int32", 0], ["Int32", 0], ["Int32", 100],
        );
        complete = outputs[0];
        for (const content of outputs[2]) {
            const result = JSON.parse(content);
            [session, sequence] = [result.session, result.seq];
            listed++;
            if (!ids.has(result.result_id)) missed.push(result.result_id);
            if (result.result_id === last) {
                end = true;
                break;
            }
        }
    }
    return { heard: heard.length, listed, missed: missed.length, twice };
}

async function main() {
    const client = ua.OPCUAClient.create({
        endpointMustExist: false,
        applicationName: "foreign",
        securityMode: asked.secure ? ua.MessageSecurityMode.SignAndEncrypt : ua.MessageSecurityMode.None,
        securityPolicy: asked.secure ? ua.SecurityPolicy.Basic256Sha256 : ua.SecurityPolicy.None,
        connectionStrategy: { initialDelay: 200, maxDelay: 1000, maxRetry: 50 },
        keepSessionAlive: true,
    });
    const patienceMs = Number(asked.patience) * 1000;
    await client.connect(positionals[0]);
    const identity = asked.user
        ? { type: ua.UserTokenType.UserName, userName: asked.user, password: asked.password }
        : { type: ua.UserTokenType.Anonymous };
    const session = await client.createSession(identity);
    const namespaces = await session.readNamespaceArray();
    const line = new Line(session, namespaces.indexOf(NAMESPACE));
    const names = await line.browse("VisionSystem");
    await line.listen();
    const told = { browsed: names.length };
    if (Number(asked.jobs)) told.single = await jobs(line, Number(asked.jobs), patienceMs);
    if (Number(asked.results)) told.continuous = await continuous(line, Number(asked.results), patienceMs);
    if (line.results().length) told.reconciled = await reconcile(line);
    told.events = {};
    for (const each of line.heard) told.events[each.kind] = (told.events[each.kind] || 0) + 1;
    console.log(JSON.stringify(told, null, 1));
    await session.close();
    await client.disconnect();
    const wrong = (told.single && (told.single.mixed || (!asked.tolerant && (told.single.none || told.single.refused))))
        || (told.reconciled && (told.reconciled.missed || told.reconciled.twice));
    process.exit(wrong ? 3 : 0);
}

main().catch((error) => {
    console.error(String(error.stack || error));
    process.exit(2);
});
