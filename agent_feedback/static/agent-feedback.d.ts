/** Types of agent-feedback.js: the rating component, and the reader of the agent's streams. */

/**
 * Where a rating stands: `ok` in MLflow, `pending` safe and on its way there, `waiting` kept in this
 * browser until the server can be reached.
 */
export type FeedbackStatus = "ok" | "pending" | "waiting" | "withdrawn";

export type FeedbackState =
  | "disabled" | "unavailable" | "ready" | "saving" | "saved" | "pending" | "waiting" | "failed";

/** What the event `feedback-change` tells, and what `rate` and `withdraw` settle with. */
export interface FeedbackChange {
  /** A thumb's boolean, a dimension's stars, or null where there is none (any more). */
  value: boolean | number | null;
  /** Null for the thumb. */
  dimension: string | null;
  reasons: readonly string[];
  rationale: string;
  correction: string;
  status: FeedbackStatus;
  traceId: string | null;
  clientRequestId: string | null;
  /** Null while the server has not named it. */
  assessmentId: string | null;
}

/** What the event `feedback-error` tells. */
export interface FeedbackError {
  /** What the component shows, in its language. */
  message: string;
  /** HTTP's status, 0 where the server was not reached. */
  status: number;
}

/** A later click, or another tab, has said something else meanwhile: that one is what counts. */
export interface Replaced {
  status: "replaced";
}

export interface RateOptions {
  /** A comment. */
  rationale?: string;
  reasons?: readonly string[];
  /** What the answer should have been. */
  correction?: string;
}

export class AgentFeedback extends HTMLElement {
  readonly state: FeedbackState;
  /** Saves a thumb. What the options leave out is cleared, a correction too. */
  rate(value: boolean, options?: RateOptions): Promise<FeedbackChange | Replaced>;
  /** Saves a dimension's stars. */
  rate(stars: number, options: { dimension: string }): Promise<FeedbackChange | Replaced>;
  /**
   * Takes the thumb back with its reasons and comment, or the stars of a dimension. A correction stays, and is
   * the change's `correction`; the dimension `expected_response` withdraws it.
   */
  withdraw(options?: { dimension?: string }): Promise<FeedbackChange | Replaced>;
  /** Reports an implicit signal; resolves to false where the server's settings do not take it. */
  signal(name: "copy" | "regenerate" | "stop"): Promise<boolean>;
}

/** The component's attributes, for JSX and templates. */
export interface AgentFeedbackAttributes {
  "trace-id"?: string;
  "client-request-id"?: string;
  /** Stars for each dimension, besides the thumbs. */
  mode?: "detailed";
  /** The answer has no trace. */
  unavailable?: "" | boolean;
  /** JSON of `FeedbackLabels`, or the id of a `<script type="application/json">` that has it. */
  labels?: string;
}

type LabelName =
  | "lang" | "group" | "good" | "bad" | "addDetails" | "editDetails" | "draft" | "whyGood" | "whyBad"
  | "comment" | "correction" | "send" | "discard" | "undo" | "close" | "stars" | "clear" | "saving"
  | "saved" | "pending" | "withdrawn" | "kept" | "yourCorrection" | "withdrawCorrection" | "waiting"
  | "failed" | "notReached" | "someoneElse" | "again" | "unavailable";

/** What the component says; English stands for what is left out. */
export interface FeedbackLabels extends Partial<Record<LabelName, string>> {
  /** Name → label. */
  dimensions?: Record<string, string>;
  reasons?: Record<string, string>;
  /** HTTP status → reason; without one, what the server says. */
  errors?: Record<string, string>;
  /** Which reasons go with which thumb; those in neither list go with both. */
  goodReasons?: readonly string[];
  badReasons?: readonly string[];
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
  interface DocumentEventMap {
    "feedback-change": CustomEvent<FeedbackChange>;
    "feedback-error": CustomEvent<FeedbackError>;
  }
}
