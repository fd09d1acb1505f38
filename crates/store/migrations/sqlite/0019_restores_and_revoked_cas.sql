-- Certificates that the database lost with a restored backup and that are known from the record beside it, so that
-- they can be revoked and stay on revocation lists. Those known from a list alone have no order and no names.
create table lost_certificates (
    issuer text not null,
    serial blob not null,
    order_id integer,
    reseller_id integer,
    names text not null,
    spki_sha256 blob,
    not_after integer not null,
    signed_at integer,
    found_at integer not null,
    revoked_at integer,
    revocation_reason integer,
    primary key (issuer, serial)
) strict;

-- Issuing CAs that were revoked. They sign their revocation lists to their end, and nothing else.
create table revoked_cas (
    issuer text primary key,
    serial blob not null,
    revoked_at integer not null,
    reason integer not null,
    operator text not null,
    replaced_at integer
) strict;
