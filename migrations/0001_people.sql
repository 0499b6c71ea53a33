-- People and their sessions. Global tables: no organisation, no row-level security, reached by key only.

CREATE TABLE person (
  id             uuid PRIMARY KEY,
  email          text NOT NULL UNIQUE CHECK (email = lower(email)),
  password_hash  text NOT NULL,               -- Argon2id in PHC form
  -- Sessions made before it are void: set when the password is reset.
  sessions_since timestamptz NOT NULL,
  created_at     timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON person TO batchdesk_web;
GRANT SELECT (id, email) ON person TO batchdesk_worker;

CREATE TABLE session (
  id_sha256    bytea PRIMARY KEY CHECK (length(id_sha256) = 32),   -- the id itself is only in the browser
  data         text NOT NULL,                 -- JSON: person, organisation, when the password was last given
  created_at   timestamptz NOT NULL,          -- the absolute limit counts from here
  last_seen_at timestamptz NOT NULL,          -- the idle limit counts from here; moved at most once a minute
  expires_at   timestamptz NOT NULL
);
CREATE INDEX session_by_expiry ON session (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON session TO batchdesk_web;
GRANT SELECT (expires_at), DELETE ON session TO batchdesk_worker;  -- those that have expired

-- Checks of a password are counted before they are made, each with its time: the bound holds however many come at
-- once, and there is no moment at which a window begins anew. What was typed is in no key, so its length and its
-- characters do not matter.
CREATE TABLE sign_in_throttle (
  key_sha256   bytea PRIMARY KEY CHECK (length(key_sha256) = 32),  -- of what is counted: an account, a network, a
                                                                   -- browser, a person
  attempts     timestamptz[] NOT NULL,       -- checks in the window, right ones taken out again
  closed_until timestamptz NOT NULL,         -- the pause after several wrong ones
  expires_at   timestamptz NOT NULL          -- nothing of it counts any more
);
CREATE INDEX sign_in_throttle_by_expiry ON sign_in_throttle (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_throttle TO batchdesk_web;
GRANT SELECT (expires_at), DELETE ON sign_in_throttle TO batchdesk_worker;
