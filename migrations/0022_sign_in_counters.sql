-- Checks of a password are counted before they are made, each with its time: the bound holds however many come at once, and there is
-- no moment at which a window begins anew. What was typed is in no key, so its length and its characters do not matter.

DROP TABLE sign_in_throttle;                 -- failures of the last quarter of an hour, at most

CREATE TABLE sign_in_throttle (
  key_sha256   bytea PRIMARY KEY CHECK (length(key_sha256) = 32),  -- of what is counted: an account, a network, a browser, a person
  attempts     timestamptz[] NOT NULL,       -- checks in the window, right ones taken out again
  closed_until timestamptz NOT NULL,         -- the pause after several wrong ones
  expires_at   timestamptz NOT NULL          -- nothing of it counts any more
);
CREATE INDEX sign_in_throttle_by_expiry ON sign_in_throttle (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_throttle TO batchdesk_web;
GRANT DELETE ON sign_in_throttle TO batchdesk_worker;              -- those that have expired
GRANT SELECT (expires_at) ON sign_in_throttle TO batchdesk_worker;
