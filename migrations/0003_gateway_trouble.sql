-- Why work waits for a gateway that does not answer: written when a process's circuit breaker opens, removed when it closes.
-- Only told to people; whether anything is sent is decided by each process's own breaker.
CREATE TABLE gateway_trouble (
  organisation_id uuid NOT NULL,
  gateway_id      uuid NOT NULL,
  since           timestamptz NOT NULL DEFAULT now(),
  until           timestamptz NOT NULL,         -- not believed after that: the process that wrote it may be gone
  reason          text NOT NULL,
  PRIMARY KEY (organisation_id, gateway_id),
  FOREIGN KEY (organisation_id, gateway_id) REFERENCES gateway (organisation_id, id)
);
ALTER TABLE gateway_trouble ENABLE ROW LEVEL SECURITY;
ALTER TABLE gateway_trouble FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON gateway_trouble TO batchdesk_web, batchdesk_worker, batchdesk_owner
  USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()));
GRANT SELECT ON gateway_trouble TO batchdesk_web, batchdesk_worker;
GRANT INSERT, UPDATE, DELETE ON gateway_trouble TO batchdesk_worker;
