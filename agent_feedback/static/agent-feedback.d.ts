/** Types of agent-feedback.js: the rating component, and the reader of the agent's streams. */

/** Where a rating stands: `ok` in MLflow, `pending` safe on its way there, `waiting` kept in this browser until the server can be reached, `replaced` by a later click. */
export type FeedbackStatus = "ok" | "pending" | "waiting" | "withdrawn" | "replaced";

export type FeedbackState =
  | "disabled" | "unavailable" | "ready" | "saving" | "saved" | "pending" | "waiting" | "failed";

/** What `feedback-change` tells, and `rate` and `withdraw` settle with. */
export interface FeedbackChange {
  /** A thumb's boolean, a dimension's stars, or null where there is none (any more). */
  value: boolean | number | null;
  /** Null for the thumb. */
  dimension: string | null;
  reasons: readonly string[];
  rationale: string;
  correction: string;
  status: FeedbackStatus;
  traceId?: string;
  clientRequestId?: string;
  /** Null while the server has not named it. */
  assessmentId: string | null;
}

/** What `feedback-error` tells. */
export interface FeedbackError {
  /** What the component shows, in its language. */
  message: string;
  /** HTTP's status, 0 where the server was not reached. */
  status: number;
}

export interface RateOptions {
  /** Rate this dimension in stars instead of the thumb. */
  dimension?: string;
  rationale?: string;
  reasons?: readonly string[];
  /** What the answer should have been. */
  correction?: string;
}

export class AgentFeedback extends HTMLElement {
  readonly state: FeedbackState;
  /** Saves a thumb, stars (with `dimension`), or with null a comment alone. What is left out is cleared. */
  rate(value: boolean | number | null, options?: RateOptions | string): Promise<FeedbackChange>;
  /** Takes the thumb back with all that came with it, or the stars of a dimension. */
  withdraw(options?: { dimension?: string }): Promise<FeedbackChange>;
  /** Reports an implicit signal; resolves to false where the server's settings do not take it. */
  signal(name: "copy" | "regenerate" | "stop"): Promise<boolean>;
}

/** The component's attributes, for JSX and templates. */
export interface AgentFeedbackAttributes {
  "trace-id"?: string;
  "client-request-id"?: string;
  mode?: "detailed";
  unavailable?: "" | boolean;
  labels?: string;
  theme?: "light" | "dark";
}

/** What the component says; English stands for what is left out. */
export interface FeedbackLabels {
  lang?: string;
  dimensions?: Record<string, string>;
  reasons?: Record<string, string>;
  errors?: Record<string, string>;
  goodReasons?: readonly string[];
  badReasons?: readonly string[];
  [label: string]: string | Record<string, string> | readonly string[] | undefined;
}

/** A piece of the answer's text. */
export interface TokenEvent {
  type: "response.output_text.delta";
  delta: string;
  item_id?: string;
}

/** The agent failed; `done` follows. */
export interface AgentErrorEvent {
  type: "error";
  code: string;
  message: string;
  trace_id?: string | null;
}

/** The last event of every answer. */
export interface DoneEvent {
  type: "done";
  trace_id: string | null;
  client_request_id: string;
  status: "ok" | "error";
}

/** Any other event, as the agent's handler made it. */
export interface OtherEvent {
  type?: string;
  [member: string]: unknown;
}

export type AgentEvent = TokenEvent | AgentErrorEvent | DoneEvent | OtherEvent;

/** The events of a streaming answer, up to its end. Throws where the response is an error. */
export function readAgentStream(response: Response): AsyncGenerator<AgentEvent, void, undefined>;

declare global {
  interface HTMLElementTagNameMap {
    "agent-feedback": AgentFeedback;
  }
  interface HTMLElementEventMap {
    "feedback-change": CustomEvent<FeedbackChange>;
    "feedback-error": CustomEvent<FeedbackError>;
  }
}
