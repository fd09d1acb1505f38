-- Times are microseconds since 1970, money is minor units, truth is 0 or 1, structure is JSON in a text.
--
-- Foreign keys guard what only this schema can guard. Rows written with every order do not refer to their
-- reseller by one: the same change set has moved that reseller's balance, which proves that it exists, and a
-- key would lock the one row that all of a reseller's orders meet at.

create table meta (
    key text primary key,
    value text not null
);

create table sequences (
    name text primary key,
    next bigint not null
);

create table resellers (
    id bigint primary key,
    name text not null,
    currency text not null,
    balance bigint not null check (balance >= 0),
    created_at bigint not null
);

create table credentials (
    username text primary key,
    reseller_id bigint not null references resellers (id),
    secret_hash bytea not null,
    created_at bigint not null,
    revoked_at bigint
);
create index credentials_of_reseller on credentials (reseller_id);

create table contacts (
    id bigint primary key,
    reseller_id bigint not null references resellers (id),
    role text not null,
    details text not null,
    created_at bigint not null,
    modified_at bigint not null,
    deleted_at bigint
);
create index contacts_of_reseller on contacts (reseller_id, id);

create table orders (
    id bigint primary key,
    reseller_id bigint not null,
    product_key text not null,
    product_name text not null,
    term_years bigint not null,
    common_name text not null,
    names text not null,
    administrator_id bigint not null,
    technical_id bigint not null,
    issuance_id bigint not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    state text not null,
    settled_at bigint,
    expires_at bigint,
    reason text,
    special_instruction text,
    created_at bigint not null,
    modified_at bigint not null,
    version bigint not null
);
create index orders_of_reseller on orders (reseller_id, id);
create index orders_of_name on orders (reseller_id, common_name, created_at);

create table issuances (
    id bigint primary key,
    order_id bigint not null references orders (id),
    reseller_id bigint not null,
    state text not null,
    csr bytea not null,
    spki bytea not null,
    method text not null,
    controls text not null,
    looks bigint not null,
    looked_at bigint,
    validate_by bigint not null,
    certificate_id bigint,
    reason text,
    created_at bigint not null,
    modified_at bigint not null,
    version bigint not null
);
create index issuances_of_order on issuances (order_id);

create table authorizations (
    id bigint primary key,
    reseller_id bigint not null,
    issuance_id bigint not null,
    domain text not null,
    base_domain text not null,
    method text not null,
    obtained_at bigint not null
);
create index authorizations_of_domain on authorizations (reseller_id, base_domain, obtained_at);

create table observations (
    id bigint primary key,
    issuance_id bigint not null references issuances (id),
    name text not null,
    method text not null,
    at bigint not null,
    asked text not null,
    of_whom text not null,
    found text not null,
    outcome text not null,
    advice text not null,
    proved_domain text
);
create index observations_of_name on observations (issuance_id, name, id);

create table approvals (
    token_hash bytea primary key,
    issuance_id bigint not null references issuances (id),
    sealed_token bytea not null,
    name text not null,
    domain text not null,
    address text not null,
    message_id text not null,
    created_at bigint not null,
    expires_at bigint not null,
    sent_at bigint,
    approved_at bigint
);
create index approvals_of_issuance on approvals (issuance_id);
create index approvals_of_address on approvals (address, created_at);

create table certificates (
    id bigint primary key,
    issuance_id bigint not null references issuances (id),
    order_id bigint not null,
    reseller_id bigint not null,
    issuer text not null,
    serial bytea not null,
    names text not null,
    spki_sha256 bytea not null,
    not_before bigint not null,
    not_after bigint not null,
    tbs bytea not null,
    reserved_at bigint not null,
    state text not null,
    der bytea,
    signed_at bigint,
    revoked_at bigint,
    revocation_reason bigint,
    unique (issuer, serial)
);
create index certificates_of_order on certificates (order_id);
create index certificates_revoked on certificates (issuer, not_after) where revoked_at is not null;

create table crls (
    issuer text not null,
    number bigint not null,
    this_update bigint not null,
    next_update bigint not null,
    der bytea not null,
    primary key (issuer, number)
);

create table authorities (
    issuer text primary key,
    root_certificate bytea not null,
    root_key bytea not null,
    issuing_certificate bytea not null,
    issuing_key bytea not null,
    created_at bigint not null
);

create table ledger_entries (
    id bigint primary key,
    posting_id bigint not null,
    account text not null,
    reseller_id bigint,
    order_id bigint,
    amount bigint not null,
    currency text not null,
    kind text not null,
    note text,
    at bigint not null
);
create index ledger_entries_of_reseller on ledger_entries (reseller_id, id);
-- Whatever else goes wrong, an order is given back once.
create unique index ledger_one_refund on ledger_entries (order_id) where kind = 'refund' and account = 'reseller';

create table idempotency (
    reseller_id bigint not null,
    key text not null,
    request_hash bytea not null,
    order_id bigint not null,
    answer text not null,
    created_at bigint not null,
    primary key (reseller_id, key)
);

create table events (
    id bigint primary key,
    order_id bigint not null,
    issuance_id bigint,
    at bigint not null,
    actor text not null,
    kind text not null,
    detail text
);
create index events_of_order on events (order_id, id);

-- run_at is when the job is due; while a worker holds it, when its lease ends. attempt only grows and tells
-- one claim from another; tries counts the claims since the job last got anywhere.
create table jobs (
    id bigint primary key,
    kind text not null,
    subject bigint not null,
    run_at bigint not null,
    attempt bigint not null,
    tries bigint not null,
    created_at bigint not null,
    parked_at bigint,
    last_error text,
    dedup text unique
);
create index jobs_due on jobs (run_at) where parked_at is null;
create index jobs_of_subject on jobs (subject, kind);

-- One row for each open PostgreSQL connection that writes: how many groups it has committed.
create table commit_lanes (
    token text primary key,
    committed bigint not null
);

insert into sequences (name, next) values
    ('order', 1000000001), ('contact', 10001), ('reseller', 2001), ('row', 1);
