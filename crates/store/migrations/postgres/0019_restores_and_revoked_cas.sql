-- Certificates that the database lost with a restored backup and that are known from the record beside it, so that
-- they can be revoked and stay on revocation lists. Those known from a list alone have no order and no names.
create table lost_certificates (
    issuer text not null,
    serial bytea not null,
    order_id bigint,
    reseller_id bigint,
    names text not null,
    spki_sha256 bytea,
    not_after bigint not null,
    signed_at bigint,
    found_at bigint not null,
    revoked_at bigint,
    revocation_reason bigint,
    primary key (issuer, serial)
);

-- Issuing CAs that were revoked. They sign their revocation lists to their end, and nothing else.
create table revoked_cas (
    issuer text primary key,
    serial bytea not null,
    revoked_at bigint not null,
    reason bigint not null,
    operator text not null,
    replaced_at bigint
);
