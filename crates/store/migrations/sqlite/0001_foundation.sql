-- Times are microseconds since 1970, money is minor units, truth is 0 or 1, structure is JSON in a text.
--
-- Foreign keys guard what only this schema can guard. Rows written with every order do not refer to their
-- reseller by one: the same change set has moved that reseller's balance, which proves that it exists, and a
-- key would lock the one row that all of a reseller's orders meet at.

create table meta (
    key text primary key,
    value text not null
) strict;

create table sequences (
    name text primary key,
    next integer not null
) strict;

create table resellers (
    id integer primary key,
    name text not null,
    currency text not null,
    balance integer not null check (balance >= 0),
    created_at integer not null
) strict;

create table credentials (
    username text primary key,
    reseller_id integer not null references resellers (id),
    secret_hash blob not null,
    created_at integer not null,
    revoked_at integer
) strict;
create index credentials_of_reseller on credentials (reseller_id);

create table contacts (
    id integer primary key,
    reseller_id integer not null references resellers (id),
    role text not null,
    details text not null,
    created_at integer not null,
    modified_at integer not null,
    deleted_at integer
) strict;
create index contacts_of_reseller on contacts (reseller_id, id);

create table orders (
    id integer primary key,
    reseller_id integer not null,
    product_key text not null,
    product_name text not null,
    term_years integer not null,
    common_name text not null,
    names text not null,
    administrator_id integer not null,
    technical_id integer not null,
    issuance_id integer not null,
    amount integer not null check (amount >= 0),
    currency text not null,
    state text not null,
    settled_at integer,
    expires_at integer,
    reason text,
    special_instruction text,
    created_at integer not null,
    modified_at integer not null,
    version integer not null
) strict;
create index orders_of_reseller on orders (reseller_id, id);
create index orders_of_name on orders (reseller_id, common_name, created_at);

create table issuances (
    id integer primary key,
    order_id integer not null references orders (id),
    reseller_id integer not null,
    state text not null,
    csr blob not null,
    spki blob not null,
    method text not null,
    controls text not null,
    looks integer not null,
    looked_at integer,
    validate_by integer not null,
    certificate_id integer,
    reason text,
    created_at integer not null,
    modified_at integer not null,
    version integer not null
) strict;
create index issuances_of_order on issuances (order_id);

create table authorizations (
    id integer primary key,
    reseller_id integer not null,
    issuance_id integer not null,
    domain text not null,
    base_domain text not null,
    method text not null,
    obtained_at integer not null
) strict;
create index authorizations_of_domain on authorizations (reseller_id, base_domain, obtained_at);

create table observations (
    id integer primary key,
    issuance_id integer not null references issuances (id),
    name text not null,
    method text not null,
    at integer not null,
    asked text not null,
    of_whom text not null,
    found text not null,
    outcome text not null,
    advice text not null,
    proved_domain text
) strict;
create index observations_of_name on observations (issuance_id, name, id);

create table approvals (
    token_hash blob primary key,
    issuance_id integer not null references issuances (id),
    sealed_token blob not null,
    name text not null,
    domain text not null,
    address text not null,
    message_id text not null,
    created_at integer not null,
    expires_at integer not null,
    sent_at integer,
    approved_at integer
) strict;
create index approvals_of_issuance on approvals (issuance_id);
create index approvals_of_address on approvals (address, created_at);

create table certificates (
    id integer primary key,
    issuance_id integer not null references issuances (id),
    order_id integer not null,
    reseller_id integer not null,
    issuer text not null,
    serial blob not null,
    names text not null,
    spki_sha256 blob not null,
    not_before integer not null,
    not_after integer not null,
    tbs blob not null,
    reserved_at integer not null,
    state text not null,
    der blob,
    signed_at integer,
    revoked_at integer,
    revocation_reason integer,
    unique (issuer, serial)
) strict;
create index certificates_of_order on certificates (order_id);
create index certificates_revoked on certificates (issuer, not_after) where revoked_at is not null;

create table crls (
    issuer text not null,
    number integer not null,
    this_update integer not null,
    next_update integer not null,
    der blob not null,
    primary key (issuer, number)
) strict;

create table authorities (
    issuer text primary key,
    root_certificate blob not null,
    root_key blob not null,
    issuing_certificate blob not null,
    issuing_key blob not null,
    created_at integer not null
) strict;

create table ledger_entries (
    id integer primary key,
    posting_id integer not null,
    account text not null,
    reseller_id integer,
    order_id integer,
    amount integer not null,
    currency text not null,
    kind text not null,
    note text,
    at integer not null
) strict;
create index ledger_entries_of_reseller on ledger_entries (reseller_id, id);
-- Whatever else goes wrong, an order is given back once.
create unique index ledger_one_refund on ledger_entries (order_id) where kind = 'refund' and account = 'reseller';

create table idempotency (
    reseller_id integer not null,
    key text not null,
    request_hash blob not null,
    order_id integer not null,
    answer text not null,
    created_at integer not null,
    primary key (reseller_id, key)
) strict;

create table events (
    id integer primary key,
    order_id integer not null,
    issuance_id integer,
    at integer not null,
    actor text not null,
    kind text not null,
    detail text
) strict;
create index events_of_order on events (order_id, id);

-- run_at is when the job is due; while a worker holds it, when its lease ends. attempt only grows and tells
-- one claim from another; tries counts the claims since the job last got anywhere.
create table jobs (
    id integer primary key,
    kind text not null,
    subject integer not null,
    run_at integer not null,
    attempt integer not null,
    tries integer not null,
    created_at integer not null,
    parked_at integer,
    last_error text,
    dedup text unique
) strict;
create index jobs_due on jobs (run_at) where parked_at is null;
create index jobs_of_subject on jobs (subject, kind);

-- One row for each open PostgreSQL connection that writes: how many groups it has committed.
create table commit_lanes (
    token text primary key,
    committed integer not null
) strict;

insert into sequences (name, next) values
    ('order', 1000000001), ('contact', 10001), ('reseller', 2001), ('row', 1);
