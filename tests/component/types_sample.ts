// What a page in TypeScript writes; type-checked against agent-feedback.d.ts, never run.
import { readAgentStream } from "../../agent_feedback/static/agent-feedback.js";
import type {
  AgentEvent, AgentFeedbackAttributes, DoneEvent, FeedbackChange, FeedbackLabels, FeedbackState,
} from "../../agent_feedback/static/agent-feedback.js";

export const attributes: AgentFeedbackAttributes = { "trace-id": "tr-1", mode: "detailed" };

const isDone = (event: AgentEvent): event is DoneEvent => event.type === "done";

export async function ask(response: Response): Promise<string | null> {
  const element = document.createElement("agent-feedback");
  for await (const event of readAgentStream(response)) {
    if (isDone(event)) {
      const trace: string | null = event.trace_id;
      if (trace) element.setAttribute("trace-id", trace);
    }
  }
  const state: FeedbackState = element.state;
  const change = await element.rate(false, { rationale: "Too short.", reasons: ["incomplete"] });
  const stars = await element.rate(4, { dimension: "accuracy" });
  await element.withdraw({ dimension: "accuracy" });
  const isTaken: boolean = await element.signal("copy");
  element.addEventListener("feedback-change", (event) => {
    const detail: FeedbackChange = event.detail;
    console.log(detail.status, detail.value, state, change.status, stars.status, isTaken);
  });
  document.addEventListener("feedback-error", (event) => console.log(event.detail.message));
  // @ts-expect-error there is no such signal
  await element.signal("paste");
  // @ts-expect-error stars need a dimension
  await element.rate(4);
  return element.getAttribute("trace-id");
}

export const labels: FeedbackLabels = { lang: "de", good: "Gute Antwort", reasons: { correct: "richtig" } };
