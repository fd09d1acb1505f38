-- Who asked for a revocation, when, and by when it had to be done; not known of what was revoked before.
alter table certificates add column revocation_asked_at integer;
alter table certificates add column revocation_due_at integer;
alter table certificates add column revoked_by text;

-- Certificates by their key: one that is compromised takes all of them along.
create index certificates_by_spki on certificates (spki_sha256, id);

-- Keys that are never certified again.
create table blocked_keys (
    id integer primary key,
    spki_sha256 blob not null unique,
    blocked_by text not null,
    note text,
    blocked_at integer not null
) strict;
