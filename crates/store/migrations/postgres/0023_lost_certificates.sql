-- Lost certificates are revoked like others: at whose wish, when that was told, by when it was due; and they are found
-- by serial number and by key.
alter table lost_certificates add column revocation_asked_at bigint;
alter table lost_certificates add column revocation_due_at bigint;
alter table lost_certificates add column revoked_by text;
create index lost_certificates_by_serial on lost_certificates (serial);
create index lost_certificates_by_spki on lost_certificates (spki_sha256);
