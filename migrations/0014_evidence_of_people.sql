-- PEOPLE: what two people decided in review, kept beside what the gateway said. After every file that names the sources anew.
ALTER TABLE evidence DROP CONSTRAINT evidence_source_check,
  ADD CONSTRAINT evidence_source_check CHECK (source IN ('SEND', 'QUERY', 'WEBHOOK', 'RECONCILE', 'DELIVERY', 'PEOPLE'));
