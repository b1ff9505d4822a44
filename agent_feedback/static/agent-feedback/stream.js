/**
 * The events of a streaming answer of the agent server, as parsed JSON, up to `[DONE]`.
 *
 *     for await (const event of readAgentStream(await fetch("/responses", …))) …
 *
 * Reads server-sent events wherever the network cut them, with any line ending; comments (pings)
 * and fields other than `data` are passed over. Leaving the loop closes the connection.
 */
export async function* readAgentStream(response) {
  if (!response.ok || !response.body) {
    throw Object.assign(new Error(`The agent answered ${response.status}.`), {
      status: response.status,
    });
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A carriage return at the end may be one half of a line ending.
      const held = !done && rest.endsWith("\r") ? "\r" : "";
      const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
      rest = lines.pop() + held;
      for (const line of lines) {
        if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        } else if (line === "" && data.length) {
          const frame = data.join("\n");
          data = [];
          if (frame === "[DONE]") return;
          yield JSON.parse(frame);
        }
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
