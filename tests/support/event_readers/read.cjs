// Reads messages of Kafka with CloudEvents' SDK for JavaScript: a line of JSON in, one out, with what the SDK found.
const { createInterface } = require("node:readline");
const { Kafka } = require("cloudevents");

createInterface({ input: process.stdin }).on("line", (line) => {
  const { headers, key, value } = JSON.parse(line);
  const message = { headers, key, value: Buffer.from(value, "base64").toString() };
  if (!Kafka.isEvent(message)) {
    console.log(JSON.stringify({ error: "no event" }));
    return;
  }
  const { id, source, type, subject, time, dataschema, datacontenttype, data } = Kafka.toEvent(message);
  console.log(JSON.stringify({ id, source, type, subject, time, dataschema, datacontenttype, data }));
});
