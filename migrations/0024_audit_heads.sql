-- What checks the audit trail reads the tables themselves: a function of the database says what whoever changed it wants.
DROP FUNCTION verify_audit();
GRANT SELECT ON audit_waiting TO batchdesk_web;
-- The sealer signs where the chain ends, after it has looked whether the end that it signed before is still in it.
GRANT SELECT ON audit, audit_seal TO batchdesk_worker;

-- API keys are revoked, never deleted: what they did stays theirs.
GRANT UPDATE (revoked_at) ON api_key TO batchdesk_web;
-- A name is what a person revokes a key by.
CREATE UNIQUE INDEX api_key_name_in_use ON api_key (organisation_id, name) WHERE revoked_at IS NULL;
