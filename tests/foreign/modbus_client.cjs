// datumd's Modbus bridge, spoken to by modbus-serial: the whole handshake, part after part; none lost, doubled or mixed up.
// How to run: README.md beside this file.
"use strict";
const path = require("node:path");
const { createRequire } = require("node:module");
const { parseArgs } = require("node:util");
const Modbus = createRequire(path.join(process.cwd(), "package.json"))("modbus-serial");

const { values: asked, positionals } = parseArgs({
    allowPositionals: true,
    options: { parts: { type: "string", default: "500" }, patience: { type: "string", default: "20" } },
});
// docs/plc.md: addresses and bits
const [WRITES, READS, WORDS] = [0, 100, 104];
const [ENABLE, TRIGGER, ACK] = [1, 2, 4];
const [READY, TAKEN, VALID] = [1, 2, 8];
const AT = { inspection: 14, number: 16, verdict: 18, cause: 19, partId: 22, again: 102 };

const long = (words, at) => words[at] * 65536 + words[at + 1];
const text = (words, at) => {
    const raw = Buffer.alloc(32);
    for (let word = 0; word < 16; word++) raw.writeUInt16BE(words[at + word], 2 * word);
    return raw.toString("ascii").split("\0")[0];
};

function block(control, number, partId) {
    const raw = Buffer.alloc(32);
    raw.write(partId, "ascii");
    const words = [control, 0, number >>> 16, number & 0xffff, 0, 0, 0, 0, 0, 0];
    for (let word = 0; word < 16; word++) words.push(raw.readUInt16BE(2 * word));
    return words;
}

async function until(client, bit, level) {
    for (const end = Date.now() + 1000 * Number(asked.patience); Date.now() < end; ) {
        const { data } = await client.readHoldingRegisters(READS, WORDS);
        if (Boolean(data[0] & bit) === level) return data;
    }
    throw new Error(`in vain: bit ${bit} is not ${level}`);
}

async function main() {
    const [host, port] = (positionals[0] ?? "127.0.0.1:1502").split(":");
    const client = new Modbus();
    await client.connectTCP(host, { port: Number(port) });
    client.setID(1);
    client.setTimeout(5000);
    const ends = { pass: 0, fail: 0, none: 0 };
    const wrong = [];
    const seen = new Set();
    const run = Math.floor(Date.now() / 1000).toString(36);
    const took = [];
    for (let number = 1; number <= Number(asked.parts); number++) {
        const partId = `${run}-${number}`;
        await client.writeRegisters(WRITES, block(ENABLE, 0, ""));
        await until(client, READY, true);
        const began = performance.now();
        await client.writeRegisters(WRITES, block(ENABLE | TRIGGER, number, partId));
        await until(client, TAKEN, true);
        await client.writeRegisters(WRITES, block(ENABLE, 0, ""));
        const words = await until(client, VALID, true);
        took.push(performance.now() - began);
        const inspection = long(words, AT.inspection);
        const verdict = words[AT.verdict];
        if (inspection !== long(words, AT.again)) wrong.push(`${partId}: torn`);
        if (long(words, AT.number) !== number || text(words, AT.partId) !== partId) wrong.push(`${partId}: mixed up`);
        if (seen.has(inspection)) wrong.push(`${partId}: doubled`);
        if (verdict > 2) wrong.push(`${partId}: both verdicts`);
        seen.add(inspection);
        ends[["none", "pass", "fail"][verdict] ?? "none"]++;
        await client.writeRegisters(WRITES, block(ENABLE | ACK, 0, ""));
        await until(client, VALID, false);
    }
    client.close(() => {});
    took.sort((a, b) => a - b);
    console.log(JSON.stringify({ parts: seen.size, ...ends, wrong, p50_ms: took[took.length >> 1], p99_ms: took[Math.floor(took.length * 0.99)] }));
    process.exit(wrong.length ? 3 : 0);
}

main().catch((error) => {
    console.error(error.message);
    process.exit(2);
});
