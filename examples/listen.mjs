// Print the events of a stream: npm install redis; node examples/listen.mjs redis://localhost:6379
import { createClient } from "redis";

const client = await createClient({ url: process.argv[2] }).connect();
for (let id = "$"; ; ) { // "$": only new events; "0": from the beginning
  const streams = await client.xRead({ key: "behaviour:events", id }, { BLOCK: 5000, COUNT: 100 });
  for (const entry of streams?.[0].messages ?? []) {
    id = entry.id;
    if (entry.message.only) continue;  // put back for one group
    try {
      const event = JSON.parse(entry.message.event);
      const people = event.track_id == null ? event.members ?? [] : [event.track_id];
      console.log(event.camera_id, event.kind, event.action ?? "", event.score ?? "", ...people);
    } catch {
      console.error(`entry ${id} is no event`);  // any program may write to a stream
    }
  }
}
