-- What version 0.1 of the package wrote into a PostgreSQL ledger: its tables as they are there, and every row.
CREATE TABLE agent_feedback_ledger (
	ledger_id VARCHAR(32) NOT NULL, 
	CONSTRAINT agent_feedback_ledger_pkey PRIMARY KEY (ledger_id)
);
INSERT INTO agent_feedback_ledger (ledger_id) VALUES ('a54db69fe4d4466ba123f5e08cb68e5a');
CREATE TABLE agent_feedback_ratings (
	rating_id VARCHAR(32) NOT NULL, 
	trace_id VARCHAR(820) NOT NULL, 
	person VARCHAR(250) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	client_request_id VARCHAR(50), 
	value TEXT, 
	rationale TEXT, 
	reasons TEXT, 
	withdrawn BOOLEAN NOT NULL, 
	clear_first BOOLEAN NOT NULL, 
	assessment_id VARCHAR(50) NOT NULL, 
	store_id VARCHAR(50), 
	revision INTEGER NOT NULL, 
	changed_at BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	delivered_revision INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	lease_owner VARCHAR(64), 
	lease_until BIGINT NOT NULL, 
	unsettled_until BIGINT NOT NULL, 
	last_error VARCHAR(100), 
	refused_ms BIGINT DEFAULT '0'::bigint NOT NULL, 
	refused_at BIGINT DEFAULT '0'::bigint NOT NULL, 
	delivered_at BIGINT DEFAULT '0'::bigint NOT NULL, 
	CONSTRAINT agent_feedback_ratings_pkey PRIMARY KEY (rating_id), 
	CONSTRAINT agent_feedback_one_rating UNIQUE NULLS DISTINCT (trace_id, person, name)
);
CREATE INDEX agent_feedback_delivered ON agent_feedback_ratings (delivered_at);
CREATE INDEX agent_feedback_due ON agent_feedback_ratings (state, due_at);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('ceef1b150d074396a1ae4b5c9264199f', 'tr-00000000000000000000000000000001', 'ann@example.com', 'user_feedback', 'request-1', 'true', NULL, '[]', false, false, 'a-9f6762dc9e064d1d9249aaf856696699', NULL, 1, 1795000000001, 'pending', 0, 1795859573041, 0, 1795859573041, NULL, 0, 0, NULL, 0, 0, 0);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('cc33bdef6f69418687437f0bca1decb3', 'tr-00000000000000000000000000000002', 'ann@example.com', 'user_feedback', 'request-2', 'true', NULL, '[]', false, false, 'a-267daa96d4dd4dfabba9b2bb9a456ba8', NULL, 1, 1795000000002, 'pending', 0, 1795859573006, 1, 1795863173011, NULL, 0, 0, 'PERMISSION_DENIED', 0, 1795859573011, 0);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('6fe3b3ae0bc14ca1842af341180daa7d', 'tr-00000000000000000000000000000003', 'ann@example.com', 'user_feedback', 'request-3', 'true', NULL, '[]', false, false, 'a-c920cde648064a95b7eea328b4a76021', NULL, 1, 1795000000003, 'pending', 0, 1795859573037, 0, 1795859573037, 'fd85ebb7598c42268ee8c9d46467de31', 1795859593039, 0, NULL, 0, 0, 0);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('de06a5d938874cc893c8a1f2ce3caf02', 'tr-00000000000000000000000000000004', 'ann@example.com', 'user_feedback', 'request-4', 'true', NULL, '[]', false, false, 'a-f80bb8b9f0a945228e0133ab8b6e159c', NULL, 1, 1795000000004, 'delivered', 1, 1795859572912, 0, 0, NULL, 0, 0, NULL, 0, 0, 1795859572926);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('5a80e55f39594a6ea9423e7fdff78cea', 'tr-00000000000000000000000000000005', 'ann@example.com', 'user_feedback', 'request-5', 'false', 'Too long.', '["incomplete"]', false, false, 'a-4141460664fd4364b5117bb9dae3b624', 'a-of-mlflow', 1, 1795000000005, 'delivered', 1, 1795859572929, 0, 0, NULL, 0, 0, NULL, 0, 0, 1795859572934);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('484d8dee9acc43568c8417abbf0cce1b', 'tr-00000000000000000000000000000006', 'ann@example.com', 'user_feedback', 'request-6', 'false', NULL, '[]', false, false, 'a-41dbf4af24794251812c9bb60a37ef99', NULL, 2, 1795000000007, 'pending', 1, 1795859572937, 0, 1795863172956, NULL, 0, 0, NULL, 0, 0, 1795859572942);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('ec36939cde224b9b9e14240575e31719', 'tr-00000000000000000000000000000007', 'ann@example.com', 'user_feedback', 'request-7', 'null', NULL, '[]', true, false, 'a-33649c233cca40009e411bfff138c563', NULL, 2, 1795000000070, 'pending', 1, 1795859572958, 0, 1795863172969, NULL, 0, 0, NULL, 0, 0, 1795859572963);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('0db7d79d83eb4a24bf72bf62d01963e8', 'tr-00000000000000000000000000000008', 'ann@example.com', 'user_feedback', 'request-8', 'null', NULL, '[]', true, false, 'a-d4065c4e46ed4b81833e3c7fc2fb110b', NULL, 2, 1795000000080, 'delivered', 2, 1795859572971, 0, 0, NULL, 0, 0, NULL, 0, 0, 1795859572983);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('89c3f683d8714ddf9da82b32d08cb136', 'tr-00000000000000000000000000000009', 'ann@example.com', 'user_feedback', 'request-9', 'true', NULL, '[]', false, false, 'a-94361869a3104bd6b719a50c63a4eb3c', NULL, 1, 1795000000009, 'undeliverable', 0, 1795859572985, 0, 1795859572989, NULL, 0, 0, 'INVALID_PARAMETER_VALUE', 0, 0, 0);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('422874e838c64b47a7ea731475846d18', 'tr-0000000000000000000000000000000a', 'ann@example.com', 'user_feedback', 'request-10', 'true', NULL, '[]', false, false, 'a-dadca812f14f4681924af8ce9d3ff71a', NULL, 1, 1795000000010, 'pending', 1, 1795859572991, 0, 1795859592997, NULL, 0, 1795859592997, NULL, 0, 0, 1795859572997);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('c3e12174061d4a028feb75f42201066e', 'tr-0000000000000000000000000000000b', 'ann@example.com', 'user_feedback', 'request-11', 'true', NULL, '[]', false, false, 'a-70d08b52ffe941a9befa173d4285ec3c', NULL, 1, 1795000000011, 'pending', 0, 1795859572999, 1, 1795863173004, NULL, 0, 9007199254740992, 'TIMEOUT', 0, 0, 0);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('488c999e8af9425a8590e30776423205', 'tr-0000000000000000000000000000000c', 'ann@example.com', 'user_accuracy', 'request-12', '0.8', 'Good.', '["correct", "complete"]', false, false, 'a-c7204814e4a34dfdabcf23ed6985ceb2', NULL, 1, 1795000000012, 'delivered', 1, 1795859573013, 0, 0, NULL, 0, 0, NULL, 0, 0, 1795859573019);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('4be3cc7e2ee64dddbea2a872b66e79ad', 'tr-0000000000000000000000000000000d', 'ann@example.com', 'expected_response', 'request-13', '"It is kept."', NULL, '[]', false, false, 'a-2c991c26c7fd4d0a8b3f3670d0c2b1bf', NULL, 1, 1795000000013, 'delivered', 1, 1795859573021, 0, 0, NULL, 0, 0, NULL, 0, 0, 1795859573025);
INSERT INTO agent_feedback_ratings (rating_id, trace_id, person, name, client_request_id, value, rationale, reasons, withdrawn, clear_first, assessment_id, store_id, revision, changed_at, state, delivered_revision, created_at, attempts, due_at, lease_owner, lease_until, unsettled_until, last_error, refused_ms, refused_at, delivered_at) VALUES ('c4cacedce96d4a599a5931c1b64c0186', 'tr-0000000000000000000000000000000e', 'ann@example.com', 'user_feedback', 'request-14', 'false', NULL, '[]', false, true, 'a-7c541e98e0d84bf9ba7d33671767238b', NULL, 3, 1795000000141, 'pending', 0, 1795859573027, 0, 1795863173035, NULL, 0, 0, NULL, 0, 0, 0);
CREATE TABLE agent_feedback_turns (
	turn_id VARCHAR(32) NOT NULL, 
	trace_id VARCHAR(820), 
	client_request_id VARCHAR(50) NOT NULL, 
	session_id VARCHAR(250), 
	user_id VARCHAR(250), 
	asker VARCHAR(250), 
	state VARCHAR(16) NOT NULL, 
	opened_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	CONSTRAINT agent_feedback_turns_pkey PRIMARY KEY (turn_id)
);
CREATE INDEX ix_agent_feedback_turns_client_request_id ON agent_feedback_turns (client_request_id);
CREATE INDEX ix_agent_feedback_turns_opened_at ON agent_feedback_turns (opened_at);
CREATE INDEX ix_agent_feedback_turns_session_id ON agent_feedback_turns (session_id);
CREATE INDEX ix_agent_feedback_turns_trace_id ON agent_feedback_turns (trace_id);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn1', 'tr-00000000000000000000000000000001', 'request-1', 'session-1', 'ann@example.com', 'ann@example.com', 'ok', 1795000000001, 1795000000002);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn2', 'tr-00000000000000000000000000000002', 'request-2', 'session-1', 'ann@example.com', 'ann@example.com', 'open', 1795000000002, NULL);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn3', 'tr-00000000000000000000000000000003', 'request-3', 'session-1', 'ann@example.com', 'ann@example.com', 'error', 1795000000003, 1795000000004);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn4', 'tr-00000000000000000000000000000004', 'request-4', 'session-1', 'ann@example.com', 'ann@example.com', 'interrupted', 1795000000004, 1795000000005);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn5', NULL, 'request-5', 'session-1', 'ann@example.com', 'ann@example.com', 'ok', 1795000000005, 1795000000006);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn6', 'tr-00000000000000000000000000000006', 'request-6', 'session-1', 'claimed@example.com', 'anonymous', 'ok', 1795000000006, 1795000000007);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn7', 'trace:/catalog.schema.prefix/00000000000000000000000000000007', 'request-7', NULL, 'ann@example.com', 'ann@example.com', 'ok', 1795000000007, 1795000000008);
INSERT INTO agent_feedback_turns (turn_id, trace_id, client_request_id, session_id, user_id, asker, state, opened_at, closed_at) VALUES ('turn8', 'tr-00000000000000000000000000000008', 'request-8', 'session-1', NULL, NULL, 'open', 1795000000008, NULL);
